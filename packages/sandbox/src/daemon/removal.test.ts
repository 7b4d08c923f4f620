/** A release is what an app runs from: it goes only when nobody does, and then all of it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SandboxRefused } from '../client/index.ts'
import { openTestSandbox, runToEnd, spec } from '../testing.ts'

const sandbox = await openTestSandbox()
const { client, options } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const conflict = { code: 'conflict', message: /a sandbox still runs release/ }

/** Always the same one. */
async function pack(): Promise<string> {
  await client.scratch({ id: 'build', sizeBytes: 2 ** 24 })
  await runToEnd(client, spec({ id: 'build', scratch: 'build', argv: ['sh', '-c', 'echo hello > page'] }))
  const { sha256 } = await client.pack({ scratch: 'build' })
  await client.removeScratch({ id: 'build' })
  return sha256
}

const running = (id: string, release: string) => spec({ id, release, argv: ['sleep', '1000'] })

/** Mounts and loop devices of releases. */
function mounted(): { mounts: number; loops: number } {
  const inside = ['nsenter', `--mount=${join(options.root, 'ns/mnt')}`, 'cat', '/proc/self/mountinfo']
  const mounts = execFileSync('env', inside, { encoding: 'utf8' }).match(/ \/run\/\S*\/releases\/[0-9a-f]{64} /g)
  const loops = execFileSync('losetup', ['-a'], { encoding: 'utf8' }).split(join(options.root, 'releases')).length - 1
  return { mounts: mounts?.length ?? 0, loops }
}

test('a release is kept while a sandbox runs it, sleeps with it or is just being made of it', async () => {
  const sha256 = await pack()
  const starting = client.start(running('one', sha256))
  await assert.rejects(client.removeRelease({ sha256 }), conflict)
  await starting
  await assert.rejects(client.removeRelease({ sha256 }), conflict)
  await client.freeze({ id: 'one' })
  await assert.rejects(client.removeRelease({ sha256 }), conflict)
  await sandbox.crash()
  await assert.rejects(client.removeRelease({ sha256 }), conflict)
  await client.remove({ id: 'one' })
  await client.removeRelease({ sha256 })
  assert.deepEqual(await client.releases(), [])
})

test('a release that is gone, or never was, is removed', async () => {
  const sha256 = await pack()
  await Promise.all([client.removeRelease({ sha256 }), client.removeRelease({ sha256 })])
  await client.removeRelease({ sha256 })
  await client.removeRelease({ sha256: '0'.repeat(64) })
  await assert.rejects(client.start(running('late', sha256)), { code: 'missing' })
  assert.deepEqual(await client.list(), [])
})

test('when it is removed and started at once, it is one or the other, whole', async () => {
  for (let round = 0; round < 4; round++) {
    const sha256 = await pack()
    const removing = client.removeRelease({ sha256 }).then(
      () => 'removed',
      (error: SandboxRefused) => error.code,
    )
    await sleep(round * 5)
    const started = await client.start(running('both', sha256)).then(
      ({ state }) => state,
      (error: SandboxRefused) => error.code,
    )
    const outcome = [await removing, started].join(' ')
    assert.ok(['removed missing', 'conflict running'].includes(outcome), outcome)
    await client.remove({ id: 'both' })
    await client.removeRelease({ sha256 })
  }
  assert.deepEqual(mounted(), { mounts: 0, loops: 0 })
})

test('kill -9 of the daemon at any moment of a removal leaves a release that works or none', async () => {
  const rounds = 6 * Number(process.env['TEST_SCALE'] ?? 1)
  for (let round = 0; round < rounds; round++) {
    const sha256 = await pack()
    await client.start(running('user', sha256))
    await client.remove({ id: 'user' })
    const removing = client.removeRelease({ sha256 })
    await sleep(round * 4)
    await sandbox.crash()
    // The client asked again.
    await removing
    assert.deepEqual(await client.releases(), [])
    assert.deepEqual(mounted(), { mounts: 0, loops: 0 })
    await client.removeRelease({ sha256 })
  }
})

test('a daemon that was killed between a sandbox’s end and its clearing leaves no release mounted', async () => {
  const sha256 = await pack()
  await client.start(running('ended', sha256))
  assert.deepEqual(mounted(), { mounts: 1, loops: 1 })
  await sandbox.daemon.kill9()
  const file = join(options.root, 'sandboxes/ended.json')
  const record = JSON.parse(readFileSync(file, 'utf8')) as object
  const exit = { code: 0, reason: 'exited', sentence: 'exited with code 0' }
  writeFileSync(file, JSON.stringify({ ...record, state: 'exited', pid: 0, exit }))
  await sandbox.crash()
  assert.deepEqual(mounted(), { mounts: 0, loops: 0 })
  assert.equal((await client.list())[0]?.state, 'exited')
  await client.removeRelease({ sha256 })
  await client.remove({ id: 'ended' })
})
