import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLane } from './lane.ts'

test('no more than the width of a lane is under way, in order, and a failure holds nobody up', async () => {
  const lane = openLane({ width: 3 })
  const begun: number[] = []
  let underWay = 0
  let most = 0
  const all = Array.from({ length: 20 }, (_, number) =>
    lane.hold(async () => {
      begun.push(number)
      most = Math.max(most, ++underWay)
      await sleep(number % 4)
      underWay--
      if (number % 5 === 0) throw new Error('failed')
      return number
    }),
  )
  const results = await Promise.allSettled(all)
  assert.equal(most, 3)
  assert.deepEqual(
    begun,
    all.map((_, number) => number),
  )
  assert.equal(results.filter(({ status }) => status === 'rejected').length, 4)
})
