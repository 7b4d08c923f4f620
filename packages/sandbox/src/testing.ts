/**
 * For tests: a daemon with a root, a subnet and names of its own, taken away when the test ends. Images are
 * kept between tests, as making them takes most of a minute.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sandboxClient } from './client/index.ts'
import type { SandboxClient } from './client/index.ts'
import { destroyDaemon, startDaemon } from './daemon/launch.ts'
import type { Daemon, LaunchOptions } from './daemon/launch.ts'
import type { Exit, SandboxSpec } from './verbs.ts'

const parent = '/var/tmp'
const prefix = 'perennial-sandbox-test-'
const images = '/var/cache/perennial-test-images'

export interface TestSandbox {
  readonly options: LaunchOptions
  readonly client: SandboxClient
  readonly daemon: Daemon
  /** Crashes the daemon and starts it again. */
  crash(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export async function openTestSandbox({ uid = 0, gid = 0 }: { uid?: number; gid?: number } = {}): Promise<TestSandbox> {
  if (process.getuid?.() !== 0) throw new Error('tests of the sandbox need root: run them as root')
  await clearAbandoned()
  const root = await mkdtemp(join(parent, `${prefix}${process.pid}-`))
  const options = { root, uid, gid, images }
  let daemon = await startDaemon(options)
  const client = sandboxClient({ socket: daemon.socket })
  return {
    options,
    client,
    get daemon() {
      return daemon
    },
    async crash() {
      await daemon.kill9()
      daemon = await startDaemon(options)
    },
    async [Symbol.asyncDispose]() {
      client.close()
      await daemon.destroy()
    },
  }
}

/** A test run that was killed leaves its daemon and sandboxes; the next run takes them away. */
async function clearAbandoned(): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = name.startsWith(prefix) ? name.slice(prefix.length).split('-')[0] : undefined
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue
    // Another test file may be doing the same.
    await destroyDaemon({ root: join(parent, name), uid: 0, gid: 0, images }).catch(console.error)
  }
}

/** Starts it, waits for its end, removes it; answers what it printed, without conmon's prefixes. */
export async function runToEnd(client: SandboxClient, given: SandboxSpec): Promise<{ exit: Exit; out: string }> {
  await client.start(given)
  const exit = await client.wait({ id: given.id, timeoutMs: 60_000 })
  if (!exit) throw new Error(`${given.id} still runs after a minute`)
  const out = printed(client, given.id)
  await client.remove({ id: given.id })
  return { exit, out }
}

/** Lines are `<time> stdout F text`; `P` says that the line goes on in the next. */
export function printed(client: SandboxClient, id: string): string {
  const lines = readFileSync(client.logPath(id), 'utf8').split('\n')
  return lines
    .map((line) => line.replace(/^\S+ std(?:out|err) ([FP]) /, (_, kind) => (kind === 'P' ? '\r' : '')))
    .join('\n')
    .replaceAll(/\r(.*)\n/g, '$1')
}

/** GETs until somebody listens. */
export async function get(url: string): Promise<string> {
  const deadline = Date.now() + 10_000
  for (;;) {
    try {
      return await (await fetch(url, { signal: AbortSignal.timeout(5000) })).text()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(10)
    }
  }
}

/** A small spec to start from. */
export function spec(given: Pick<SandboxSpec, 'id' | 'argv'> & Partial<SandboxSpec>): SandboxSpec {
  return {
    image: 'static',
    writableBytes: 16 * 2 ** 20,
    env: {},
    cwd: '/app',
    user: 'app',
    limits: { memoryBytes: 128 * 2 ** 20, pids: 64, cpuPercent: 100 },
    network: 'none',
    ...given,
  }
}
