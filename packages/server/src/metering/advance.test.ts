import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import type { Reading } from '@perennial/sandbox/client'
import { advance, advanceRequests, UNCOUNTED, UNREAD } from './advance.ts'
import { unused } from './stream.ts'

const SCALE = Number(process.env['TEST_SCALE'] ?? 1)
const reading = (given: Partial<Reading>): Reading => ({
  id: 'one',
  boot: 'first',
  atMs: 0,
  cpuNs: 0n,
  memoryBytes: 0n,
  egressBytes: 0n,
  diskBytes: 0n,
  oomKills: 0,
  ...given,
})

test('readings that are lost or repeated change nothing: use is where the meter stands', () => {
  const steps = fc.array(fc.record({ ns: fc.bigInt(0n, 10n ** 12n), seen: fc.nat(3) }), { maxLength: 30 })
  fc.assert(
    fc.property(steps, (all) => {
      const [mark, used] = [{ ...UNREAD }, unused()]
      let cpuNs = 0n
      let atMs = 0
      for (const { ns, seen } of all) {
        cpuNs += ns
        atMs += 1000
        for (let time = 0; time < seen; time++) advance(mark, reading({ cpuNs, atMs }), used)
      }
      advance(mark, reading({ cpuNs, atMs }), used)
      assert.equal(used.cpu, cpuNs)
    }),
    { numRuns: 200 * SCALE },
  )
})

test('no reading, however wrong, makes use fall', () => {
  const any = fc.record({
    boot: fc.constantFrom('first', 'second', 'third'),
    atMs: fc.double({ min: -1e12, max: 1e15, noNaN: true }),
    cpuNs: fc.bigInt(-(10n ** 18n), 10n ** 18n),
    memoryBytes: fc.bigInt(-(10n ** 12n), 10n ** 12n),
    egressBytes: fc.bigInt(-(10n ** 18n), 10n ** 18n),
    diskBytes: fc.bigInt(-(10n ** 12n), 10n ** 12n),
  })
  fc.assert(
    fc.property(fc.array(any, { maxLength: 20 }), (all) => {
      const [mark, used] = [{ ...UNREAD }, unused()]
      let before = unused()
      for (const one of all) {
        advance(mark, reading(one), used)
        for (const meter of ['cpu', 'memory', 'disk', 'egress', 'requests'] as const)
          assert.ok(used[meter] >= before[meter])
        before = { ...used }
      }
    }),
    { numRuns: 200 * SCALE },
  )
})

test('a restarted sandbox counts from zero again, and both lives are charged', () => {
  const [mark, used] = [{ ...UNREAD }, unused()]
  advance(mark, reading({ cpuNs: 7n, atMs: 1 }), used)
  advance(mark, reading({ cpuNs: 3n, atMs: 2, boot: 'second' }), used)
  assert.equal(used.cpu, 10n)
})

test('memory is charged by level and time; of a long gap, at the lower of its two ends', () => {
  const [mark, used] = [{ ...UNREAD }, unused()]
  advance(mark, reading({ memoryBytes: 100n, atMs: 0 }), used)
  advance(mark, reading({ memoryBytes: 10n, atMs: 1000 }), used)
  assert.equal(used.memory, 100_000n)
  advance(mark, reading({ memoryBytes: 50n, atMs: 101_000 }), used)
  assert.equal(used.memory, 100_000n + 1_000_000n)
  advance(mark, reading({ memoryBytes: 50n, atMs: 500 }), used)
  assert.equal(used.memory, 1_100_000n, 'a clock that was set back gives no time')
})

test('a gateway whose counters went back charges nobody twice', () => {
  const [mark, used] = [{ ...UNCOUNTED }, unused()]
  const count = (requests: bigint, boot?: string) =>
    advanceRequests(mark, { app: 'a', requests, bytesOut: 10n * requests, ...(boot !== undefined && { boot }) }, used)
  count(100n)
  count(90n) // It lost its last second.
  count(105n)
  assert.deepEqual([used.requests, used.egress], [105n, 1050n])
  count(5n, 'another life')
  assert.equal(used.requests, 110n)
})
