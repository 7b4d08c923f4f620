/**
 * One whole node for a test: `perennial up` in a process of its own, with its own data folder, port, PostgreSQL,
 * HAProxy, sandboxd and subnet, and closed without a trace.
 *
 *     await using remote = await gitRemote({ repositories: { 'octo/hello': files } })
 *     await using node = await openTestNode({ remotes: [remote] })
 *     const app = await node.deploy(remote.url('octo/hello'))
 *     const response = await node.visit(app.slug, '/')
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openClient, type Client } from '@perennial/client'
import { dial } from '@perennial/client/node'
import { isRefusal, keyFromSeed, methods, newId, newSeed, type Key, type OutputOf } from '@perennial/protocol'
import { freePort } from './free-port.ts'
import type { GitRemote } from './git-remote.ts'
import { allProcesses, familyOf, kill9 } from './processes.ts'
import { until } from './until.ts'

export interface TestNodeOptions {
  /** Repositories that the node may fetch from. */
  readonly remotes?: readonly GitRemote[]
  /** Settings as an operator sets them (packages/server/src/config.ts). */
  readonly env?: Readonly<Record<string, string>>
}

export type Program = 'node' | 'sandboxd' | 'haproxy' | 'postgres'
type App = OutputOf<typeof methods.apps.get>

export interface TestNode {
  readonly origin: string
  readonly port: number
  /** The folder given to `--data`. */
  readonly data: string
  /** Signs as one stranger, made for this node. */
  readonly client: Client
  /** Signs as somebody else, each time. */
  stranger(): Promise<Client>
  /** Deploys and waits until it answers or failed; a failure throws with its public sentence. */
  deploy(url: string, ref?: string): Promise<App>
  app(slug: string): Promise<App>
  /** Waits until the app's page says so. */
  appWhen(slug: string, what: string, is: (app: App) => boolean, timeoutMs?: number): Promise<App>
  /** Pays as a stranger; answers what the node acknowledged. */
  fund(slug: string, micros: bigint): Promise<OutputOf<typeof methods.funding.contribute>>
  /** A request to the app's own host name. */
  visit(slug: string, path: string, init?: RequestInit): Promise<Response>
  /** Kills one program of the node as the kernel would; it is started again by itself. */
  kill9(which: Program): number
  /** Undefined while it does not run. */
  pid(which: Program): number | undefined
  /** Everything the node printed so far. */
  printed(): string
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const tree = fileURLToPath(new URL('../../../', import.meta.url))
const MARKS = {
  node: 'packages/server/src/main.ts',
  sandboxd: 'packages/sandbox/src/daemon/main.ts',
} as const
/** Runtime images are the same for every node, and making them takes most of a minute. */
const IMAGES = '/var/cache/perennial-test-images'

export async function openTestNode(options: TestNodeOptions = {}): Promise<TestNode> {
  // A unix socket's path is short, and so must the folder's be.
  const data = mkdtempSync('/var/tmp/pn-')
  execFileSync('chmod', ['755', data])
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const log = join(data, 'printed.log')
  const up = spawnUp({ data, port, log, options })
  try {
    const answers = () => readFileSync(log, 'utf8').includes(`Node: ${origin}`)
    await until('the node answers', () => up.exitCode !== null || answers(), 240_000)
    if (up.exitCode !== null) throw new Error(`perennial up ended with ${up.exitCode}`)
  } catch (error) {
    const said = readFileSync(log, 'utf8')
    await bury(up, data)
    throw new Error(`${String(error)}\n${said}`, { cause: error })
  }
  const client = openClient({ node: origin, key: await newKey() })

  /** PostgreSQL and HAProxy are nobody's children: they are to outlive the node. Their folders tell whose they are. */
  const find = (which: Program): number | undefined => {
    const all = allProcesses()
    if (which === 'node' || which === 'sandboxd')
      return familyOf(up.pid ?? 0, all).find(({ command }) => command.includes(MARKS[which]))?.pid
    const start = which === 'postgres' ? `postgres -D ${data}/` : `haproxy -W -D -p ${data}/`
    const found = all.filter(({ command }) => command.includes(start))
    // A worker has its master's words; the master is the one whose parent is not among them.
    return found.find(({ parent }) => !found.some(({ pid }) => pid === parent))?.pid
  }

  const app = async (slug: string) => answer(await client.call(methods.apps.get, { app: slug }))
  const self: Omit<TestNode, typeof Symbol.asyncDispose> = {
    origin,
    port,
    data,
    client,
    stranger: async () => openClient({ node: origin, key: await newKey() }),
    async deploy(url, ref) {
      const asked = answer(await client.call(methods.apps.deploy, { url, ...(ref !== undefined && { ref }) }))
      const ended = await until(
        `${url} runs`,
        async () => {
          const now = answer(await client.call(methods.apps.deployment, { id: asked.deployment.id }))
          const waits = now.status === 'waiting' && now.problem !== null
          return (waits || ['running', 'failed', 'replaced'].includes(now.status)) && now
        },
        300_000,
      )
      if (ended.status !== 'running') throw new Error(`deployment ${ended.status}: ${ended.problem}`)
      return app(asked.app.slug)
    },
    app,
    appWhen: (slug, what, is, timeoutMs) =>
      until(
        `${slug} ${what}`,
        async () => {
          const now = await app(slug)
          return is(now) && now
        },
        timeoutMs,
      ),
    async fund(slug, micros) {
      const payer = await self.stranger()
      const { id } = await app(slug)
      return answer(await payer.call(methods.funding.contribute, { id: newId(), app: id, amount: micros }))
    },
    visit: (slug, path, init) => dial(`http://${slug}.localhost:${port}${path}`, init),
    pid: find,
    kill9(which) {
      const pid = find(which)
      if (pid === undefined) throw new Error(`${which} is not running`)
      kill9(pid)
      return pid
    },
    printed: () => readFileSync(log, 'utf8'),
    close: () => bury(up, data),
  }
  return { ...self, [Symbol.asyncDispose]: self.close }
}

function spawnUp({
  data,
  port,
  log,
  options,
}: {
  data: string
  port: number
  log: string
  options: TestNodeOptions
}): ChildProcess {
  const words = ['up', '--data', data, '--listen', `127.0.0.1:${port}`]
  const out = createWriteStream(log)
  const up = spawn(join(tree, 'packages/cli/bin/perennial'), words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PERENNIAL_IMAGES: IMAGES,
      ...options.env,
      PERENNIAL_DEVELOPMENT_REMOTES: (options.remotes ?? []).map(({ hostPort }) => hostPort).join(','),
    },
  })
  up.stdout?.pipe(out)
  up.stderr?.pipe(out)
  return up
}

async function bury(up: ChildProcess, data: string): Promise<void> {
  up.kill('SIGTERM')
  await until('perennial up ends', () => up.exitCode !== null || up.signalCode !== null, 90_000)
  destroySandboxes(data)
  rmSync(data, { recursive: true, force: true })
}

/** Every sandbox, mount and network that this node's sandboxd made, and its pinned namespace. */
function destroySandboxes(data: string): void {
  const words = ['--root', join(data, 'sandbox'), '--uid', '0', '--gid', '0', '--images', IMAGES, '--destroy']
  execFileSync(process.execPath, [join(tree, MARKS.sandboxd), ...words])
}

async function newKey(): Promise<Key> {
  return keyFromSeed(newSeed())
}

function answer<T>(result: T): Exclude<T, { refusal: string }> {
  if (isRefusal(result)) throw new Error(`refused: ${JSON.stringify(result)}`)
  return result as Exclude<T, { refusal: string }>
}
