/** Copies of volumes: taken while the app stands still, without the app's help. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SandboxSpec } from '../client/index.ts'
import { openTestSandbox, printed, runToEnd, spec } from '../testing.ts'

const sandbox = await openTestSandbox()
const { client } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const sizeBytes = 64 * 2 ** 20
const rounds = 5 * Number(process.env['TEST_SCALE'] ?? 1)

const on = (volume: string, given: Pick<SandboxSpec, 'id' | 'argv'> & Partial<SandboxSpec>) =>
  spec({ owner: 'app', mounts: [{ kind: 'volume', id: volume, at: '/data' }], ...given })
const run = async (volume: string, script: string) =>
  (await runToEnd(client, on(volume, { id: 'tool', argv: ['sh', '-c', script] }))).out

/** Writes numbers, one after the other, and says each as soon as it is synced; replaces and deletes files as it goes. */
const writer = `
const fs = require('fs')
const log = fs.openSync('/data/log', 'a')
for (let i = 1; ; i++) {
  fs.writeSync(log, i + '\\n')
  fs.fsyncSync(log)
  fs.writeFileSync('/data/new', String(i).repeat(1000))
  const file = fs.openSync('/data/new')
  fs.fsyncSync(file)
  fs.closeSync(file)
  fs.renameSync('/data/new', '/data/state')
  fs.writeFileSync('/data/junk' + i % 50, Buffer.alloc(i % 97 * 1000))
  process.stdout.write(i + '\\n')
}`

const acknowledged = () => {
  const whole = printed(client, 'writer').split('\n').slice(0, -1)
  return Number(whole.at(-1) ?? 0)
}

async function untilAcknowledged(count: number): Promise<void> {
  const deadline = Date.now() + 30_000
  while (acknowledged() < count && Date.now() < deadline) await sleep(10)
  assert.ok(acknowledged() >= count)
}

test('a copy holds every write that was acknowledged before its app was frozen', { timeout: 300_000 }, async () => {
  await client.volume({ id: 'live', owner: 'app', sizeBytes })
  await client.start(on('live', { id: 'writer', image: 'node-24', argv: ['node', '-e', writer] }))
  for (let round = 1; round <= rounds; round++) {
    await untilAcknowledged(acknowledged() + 5)
    await client.freeze({ id: 'writer' })
    const before = acknowledged()
    const copy = await client.copyVolume({ from: 'live', to: 'copy' })
    assert.deepEqual([copy.id, copy.owner, copy.sizeBytes], ['copy', 'app', sizeBytes])
    await client.thaw({ id: 'writer' })
    // Nobody has mounted it: what is on it needs no repair.
    const folder = join(sandbox.options.root, 'volumes')
    execFileSync('sh', ['-c', `e2fsck -fn ${folder}/copy.*.ext4 2>&1`])
    await untilAcknowledged(before + 5)
    const [numbers, last, state] = (
      await run('copy', 'wc -l < /data/log; tail -1 /data/log; head -c 20 /data/state')
    ).split('\n')
    assert.equal(numbers, last)
    assert.ok(Number(last) >= before && Number(last) <= before + 1, `${before} acknowledged, ${last} copied`)
    assert.ok(state?.startsWith(String(before)) || state?.startsWith(String(before + 1)), `${before}: ${state}`)
  }
})

test('a volume that a running sandbox has mounted is not copied, nor copied onto', async () => {
  const refused = { code: 'conflict', message: /freeze or stop/ }
  await assert.rejects(client.copyVolume({ from: 'live', to: 'other' }), refused)
  await assert.rejects(client.copyVolume({ from: 'copy', to: 'live' }), { code: 'conflict', message: /stop it first/ })
  await client.freeze({ id: 'writer' })
  await assert.rejects(client.copyVolume({ from: 'copy', to: 'live' }), { code: 'conflict', message: /stop it first/ })
  await client.volume({ id: 'foreign', owner: 'other', sizeBytes })
  await assert.rejects(client.copyVolume({ from: 'live', to: 'foreign' }), { code: 'conflict', message: /not of app/ })
  await assert.rejects(client.copyVolume({ from: 'none', to: 'other' }), { code: 'missing' })
  await assert.rejects(client.copyVolume({ from: 'live', to: 'live' }), { code: 'invalid' })
  assert.deepEqual((await client.volumes()).map(({ id }) => id).toSorted(), ['copy', 'foreign', 'live'])
})

test('sandboxd killed at any moment of a copy leaves the old copy or the new one, and the app writing', async () => {
  await client.thaw({ id: 'writer' })
  for (let round = 0; round < rounds; round++) {
    await untilAcknowledged(acknowledged() + 3)
    await client.freeze({ id: 'writer' })
    const before = acknowledged()
    const copying = client.copyVolume({ from: 'live', to: 'copy' })
    await sleep(round * 25)
    await sandbox.crash()
    // The client asked again; what the killed one left standing still, moves.
    await copying
    await client.thaw({ id: 'writer' })
    await untilAcknowledged(before + 3)
    assert.ok(Number(await run('copy', 'wc -l < /data/log')) >= before)
  }
  await client.remove({ id: 'writer' })
})

test('a restored copy takes the place of what was there', async () => {
  await run('copy', 'rm -rf /data/*; echo backup > /data/file')
  await run('live', 'echo newer > /data/file')
  await client.copyVolume({ from: 'copy', to: 'live' })
  assert.equal(await run('live', 'cat /data/file; ls /data'), 'backup\nfile\n')
  const [a, b] = (await client.volumes()).filter(({ owner }) => owner === 'app')
  assert.ok(a && b && Math.abs(a.usedBytes - b.usedBytes) < 8 * 2 ** 20)
})
