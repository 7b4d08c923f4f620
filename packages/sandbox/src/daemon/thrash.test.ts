import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchThrashing } from './thrash.ts'

const limitBytes = 64 * 2 ** 20
const full = BigInt(limitBytes - 100)

test('a full sandbox that only reads its own program back for six seconds is ended', () => {
  const watch = watchThrashing({ limitBytes })
  const verdicts = [0, 2, 4, 6, 8].map((second) =>
    watch.isThrashing({ memoryBytes: full, majorFaults: BigInt(second * 1000) }, second * 1000),
  )
  assert.deepEqual(verdicts, [false, false, false, true, true])
})

test('a full sandbox that works, and a busy one that is not full, are left alone', () => {
  const calm = watchThrashing({ limitBytes })
  const roomy = watchThrashing({ limitBytes })
  for (let second = 0; second < 60; second += 2) {
    assert.equal(calm.isThrashing({ memoryBytes: full, majorFaults: BigInt(second) }, second * 1000), false)
    assert.equal(roomy.isThrashing({ memoryBytes: full / 2n, majorFaults: BigInt(second * 999) }, second * 1000), false)
  }
})

test('a moment of calm starts the count again', () => {
  const watch = watchThrashing({ limitBytes })
  const at = (second: number, memoryBytes: bigint) =>
    watch.isThrashing({ memoryBytes, majorFaults: BigInt(second * 1000) }, second * 1000)
  assert.deepEqual(
    [at(0, full), at(4, full), at(5, 0n), at(6, full), at(10, full)],
    [false, false, false, false, false],
  )
  assert.equal(at(12, full), true)
})
