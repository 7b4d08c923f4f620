import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openTestSandbox } from '../testing.ts'
import { daemonArguments, destroyDaemon } from './launch.ts'
import type { LaunchOptions } from './launch.ts'
import { answers, socketPath } from './server.ts'

/** A daemon that nobody waits for; answers how it ended. */
function begin(options: LaunchOptions) {
  const child = spawn(process.execPath, daemonArguments(options), { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (text) => (complaint += String(text)))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, complaint }))
  return { child, ended }
}

test('a second daemon refuses to start, though the note of the first was lost or names a stranger', async () => {
  await using sandbox = await openTestSandbox()
  const { options } = sandbox
  const note = join(options.root, 'sandboxd.pid')
  for (const lose of [() => rmSync(note), () => writeFileSync(note, String(process.pid))]) {
    lose()
    const { code, complaint } = await begin(options).ended
    assert.equal(code, 1)
    assert.match(complaint, /another sandboxd, process (unknown|\d+), already serves/)
  }
  assert.deepEqual(await sandbox.client.list(), [])
  writeFileSync(note, String(sandbox.daemon.process.pid))
})

test('a stranger with the number of a daemon that was killed keeps nobody from starting', async () => {
  await using sandbox = await openTestSandbox()
  const { root } = sandbox.options
  await sandbox.daemon.kill9()
  // As hostile as can be: it even says that it serves this root.
  const liar = spawn('sh', ['-c', 'sleep 1000; true', 'x', root, 'y'], { stdio: 'ignore', detached: true })
  assert.ok(liar.pid)
  writeFileSync(join(root, 'sandboxd.pid'), String(liar.pid))
  await sandbox.crash()
  assert.deepEqual(await sandbox.client.list(), [])
  process.kill(-liar.pid, 'SIGKILL')
})

test('of several that start at once on a new root, one serves', async () => {
  const root = mkdtempSync('/var/tmp/perennial-at-once-')
  const options = { root, uid: 0, gid: 0, images: '/var/cache/perennial-test-images' }
  try {
    const all = Array.from({ length: 4 }, () => begin(options))
    const ends: (number | null)[] = []
    for (const { ended } of all) void ended.then(({ code }) => ends.push(code))
    for (const deadline = Date.now() + 30_000; ends.length < 3 && Date.now() < deadline;) await sleep(50)
    for (const deadline = Date.now() + 30_000; !(await answers(socketPath(options))) && Date.now() < deadline;)
      await sleep(50)
    assert.equal(await answers(socketPath(options)), true)
    assert.deepEqual(ends, [1, 1, 1])
  } finally {
    await destroyDaemon(options)
  }
})
