import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { testNeighbour } from './lab/neighbour.ts'
import { mebibyte, spec } from './lab/payload.ts'

/** Works on as many cores as it can get, for somebody else. */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const mine = 'for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait'
const measureMs = 2000

/** Part of one core that it got, as the kernel counts it to its sandbox. */
async function shareGiven(cpuPercent: number): Promise<number> {
  const { client } = cage
  const id = 'miner'
  await client.start(spec({ id, script: mine, limits: { memoryBytes: 64 * mebibyte, pids: 64, cpuPercent } }))
  const used = async () => (await client.read()).find((one) => one.id === id)
  const first = await used()
  await sleep(measureMs)
  const last = await used()
  await client.remove({ id })
  if (!first || !last) throw new Error('the miner has no reading')
  return Number(last.cpuNs - first.cpuNs) / 1e6 / (last.atMs - first.atMs)
}

test('a miner gets the CPU that is sold and no more, and all that it got is counted to it', async () => {
  const share = await shareGiven(20)
  assert.ok(share > 0.1 && share < 0.25, `it got ${share} of a core, of 0.2`)
})

test('control: with a limit of a whole core it takes more', async () => {
  const share = await shareGiven(100)
  assert.ok(share > 0.25, `it got ${share} of a core`)
})

testNeighbour(() => cage, { attack: 'a miner', script: mine })
