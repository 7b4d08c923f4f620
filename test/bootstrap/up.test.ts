/** `perennial up --sample` as README's first command runs it, on a data folder and a port of its own. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { dial } from '@perennial/client/node'
import { freePort } from '@perennial/testnet'
import { command } from '../../packages/cli/src/bootstrap/command.ts'
import { clone, entry, launcher } from '../../packages/cli/src/bootstrap/places.ts'

const IMAGES = '/var/cache/perennial-test-images'

interface Up {
  readonly process: ChildProcess
  readonly tookMs: number
  readonly node: string
  readonly app: string
  said(): string
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

test('up --sample gives a funded app at its own host name; killed or stopped, it comes back', async (t) => {
  const data = mkdtempSync('/var/tmp/perennial-up-')
  chmodSync(data, 0o755)
  const port = await freePort()
  const up = () => startUp(data, port)
  try {
    let running = await up()
    await t.test('the app answers with 200, and the node says that it is paid for', async () => {
      assert.equal((await dial(running.app)).status, 200)
      const ps = await command([launcher, '--node', running.node, 'ps', '--json'], {
        env: { ...process.env, HOME: data },
      })
      const { apps } = JSON.parse(ps.stdout) as { apps: { url: string; purse: string }[] }
      assert.ok(apps.some(({ url, purse }) => url === running.app && BigInt(purse) > 4_000_000n))
    })

    await t.test('a second up on the same data says who is there', async () => {
      const second = await command([launcher, 'up', '--data', data, '--listen', `127.0.0.1:${port}`])
      assert.equal(second.code, 1)
      assert.match(
        second.stderr,
        new RegExp(`already up on ${data} \\(process ${running.process.pid}\\).*${running.node}`),
      )
    })

    await t.test('a killed node is started again, and so is a killed sandboxd', async () => {
      for (const name of ['node', 'sandboxd']) {
        const before = pidOf(data, name)
        process.kill(before, 'SIGKILL')
        await until(async () => pidOf(data, name) !== before && (await dial(running.app)).status === 200)
      }
    })

    await t.test('Ctrl-C closes everything, and the next start is under 20 s', async () => {
      assert.equal(await running.stop('SIGINT'), 0)
      assert.deepEqual(processesOf(data), [])
      running = await up()
      assert.ok(running.tookMs < 20_000, `it took ${running.tookMs} ms`)
      assert.doesNotMatch(running.said(), /deploying|paid/, 'what is there already is left as it is')
    })

    await t.test('killed with kill -9, it leaves nothing that the next start cannot deal with', async () => {
      await running.stop('SIGKILL')
      running = await up()
      // And with the node, so that nobody closes HAProxy, PostgreSQL and the app.
      process.kill(pidOf(data, 'node'), 'SIGKILL')
      await running.stop('SIGKILL')
      running = await up()
      assert.equal((await dial(running.app)).status, 200)
      assert.equal(await running.stop('SIGTERM'), 0)
      assert.deepEqual(processesOf(data), [])
    })
  } finally {
    const root = join(data, 'sandbox')
    const ids = ['--uid', '0', '--gid', '0', '--images', IMAGES]
    await command([process.execPath, join(clone, entry.sandboxd), '--root', root, ...ids, '--destroy'])
    rmSync(data, { recursive: true, force: true })
  }
})

async function startUp(data: string, port: number): Promise<Up> {
  const startedMs = performance.now()
  const words = ['up', '--sample', '--data', data, '--listen', `127.0.0.1:${port}`]
  const env = { ...process.env, HOME: data, PERENNIAL_IMAGES: IMAGES }
  const child = spawn(launcher, words, { stdio: ['ignore', 'pipe', 'pipe'], env })
  const ended = once(child, 'exit') as Promise<[number | null]>
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  const found = (name: string) => new RegExp(`^${name}: (\\S+)$`, 'm').exec(said)?.[1]
  await until(async () => found('App') !== undefined || child.exitCode !== null, 240_000)
  const [node, app] = [found('Node'), found('App')]
  assert.ok(node && app, said)
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    return (await ended)[0]
  }
  return { process: child, tookMs: performance.now() - startedMs, node, app, said: () => said, stop }
}

function pidOf(data: string, name: string): number {
  return Number.parseInt(readFileSync(join(data, 'log', `${name}.pid`), 'utf8'), 10)
}

/** Programs with the data folder in their command line; pgrep is not on every machine. */
function processesOf(data: string): string[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return all.map((pid) => commandLine(pid)).filter((words) => words.includes(data))
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    // It ended while we looked.
    return ''
  }
}

async function until(holds: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
  const endMs = performance.now() + withinMs
  while (!(await holds().catch(() => false))) {
    assert.ok(performance.now() < endMs, 'it came in time')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
