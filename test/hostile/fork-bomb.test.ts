import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { testNeighbour } from './lab/neighbour.ts'
import { mebibyte, spec } from './lab/payload.ts'

let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

/** awk lights it again and again: a shell that cannot fork ends, awk does not. */
const bomb = `awk 'BEGIN { while (1) system("b() { b | b & }; b; usleep 1000") }' 2> /dev/null`
const burnMs = 1500 * Number(process.env['TEST_SCALE'] ?? 1)

/** How many processes there were at most. */
async function detonate(pids: number): Promise<{ most: number; stopMs: number }> {
  const id = `bomb-${pids}`
  const limits = { memoryBytes: 512 * mebibyte, pids, cpuPercent: 100 }
  await cage.client.start(spec({ id, script: bomb, limits }))
  let most = 0
  const since = Date.now()
  while (Date.now() - since < burnMs) {
    most = Math.max(most, cage.group.pids(id))
    await sleep(2)
  }
  const stopping = Date.now()
  await cage.client.stop({ id, graceMs: 0 })
  const stopMs = Date.now() - stopping
  assert.equal(cage.group.pids(id), 0, 'nothing of it is left')
  await cage.client.remove({ id })
  return { most, stopMs }
}

test('a fork bomb gets as many processes as it was given, and one stop ends all of it', async () => {
  const { most, stopMs } = await detonate(32)
  assert.ok(most > 16 && most <= 32, `it had ${most} processes`)
  assert.ok(stopMs < 10_000, `stopping took ${stopMs} ms`)
})

test('control: the same bomb with room for 400 processes takes more than 32', async () => {
  const { most } = await detonate(400)
  assert.ok(most > 100, `it had only ${most} processes, so it shows nothing`)
})

testNeighbour(() => cage, { attack: 'a fork bomb', script: bomb })
