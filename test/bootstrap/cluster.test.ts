import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { until } from '@perennial/testnet'
import { cleanEnvironment, confined } from '../../packages/cli/src/bootstrap/confine.ts'
import { findUser } from '../../packages/cli/src/bootstrap/user.ts'

test('the private PostgreSQL outlives a killed node and is adopted by the next', async () => {
  using folder = dataFolder()
  const first = await use(folder.path)
  assert.deepEqual(first.said, { rows: 1, adopted: false })
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  const second = await use(folder.path, 'close')
  assert.deepEqual(second.said, { rows: 2, adopted: true })
})

test('a PostgreSQL that was killed with its node recovers, and a stale pid file is no obstacle', async () => {
  using folder = dataFolder()
  const first = await use(folder.path)
  const pidFile = join(folder.path, 'data/postmaster.pid')
  const pid = pidOf(folder.path)
  process.kill(pid, 'SIGKILL')
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  // After a reboot the number belongs to somebody else: to this very test, say.
  writeFileSync(pidFile, readFileSync(pidFile, 'utf8').replace(String(pid), String(process.pid)))
  const second = await use(folder.path, 'close')
  assert.deepEqual(second.said, { rows: 2, adopted: false })
})

test('a PostgreSQL that is killed alone is started again by whoever has it open', async () => {
  using folder = dataFolder()
  const first = await use(folder.path)
  const pid = pidOf(folder.path)
  process.kill(pid, 'SIGKILL')
  const ready = () => readFileSync(join(folder.path, 'data/postmaster.pid'), 'utf8').split('\n')[7]?.trim() === 'ready'
  await until('another one accepts connections', () => pidOf(folder.path) !== pid && ready(), 120_000)
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  const second = await use(folder.path, 'close')
  assert.deepEqual(second.said, { rows: 2, adopted: true })
})

test('nobody else can reach the socket', async () => {
  using folder = dataFolder()
  await use(folder.path, 'close')
  assert.equal(statSync(folder.path).mode & 0o777, 0o700)
})

function dataFolder(): { path: string } & Disposable {
  const path = mkdtempSync('/tmp/perennial-pg-')
  const user = findUser()
  assert.ok(user, 'the user perennial exists')
  chownSync(path, user.uid, user.gid)
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Of the folder's server; throws while there is none. */
function pidOf(folder: string): number {
  return Number(readFileSync(join(folder, 'data/postmaster.pid'), 'utf8').split('\n')[0])
}

async function use(folder: string, how = 'wait'): Promise<{ said: unknown; child: ChildProcess }> {
  const [program, ...words] = await confined('test/bootstrap/cluster-user.ts', [folder, how])
  const child = spawn(program, words, { cwd: '/', env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  if (how === 'close') await once(child, 'exit')
  return { said: JSON.parse(line), child }
}
