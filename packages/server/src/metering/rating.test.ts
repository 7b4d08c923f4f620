import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { DEFAULT_PRICE_BOOK, METERS, rate, type Usage } from '@perennial/protocol'
import { rateInterval } from './rating.ts'

const SCALE = Number(process.env['TEST_SCALE'] ?? 1)
const big = (max: bigint) => fc.bigInt(0n, max)

test('an interval charged in any pieces costs what it costs in one', () => {
  const usage = fc.record({
    cpu: big(10n ** 13n),
    memory: big(10n ** 17n),
    disk: big(10n ** 17n),
    egress: big(10n ** 10n),
    requests: big(10n ** 6n),
  })
  fc.assert(
    fc.property(fc.array(usage, { minLength: 1, maxLength: 20 }), (pieces) => {
      const enough = 10n ** 12n
      let carried = {}
      let charged = 0n
      for (const piece of pieces) {
        const rated = rateInterval(DEFAULT_PRICE_BOOK, piece, carried, enough)
        carried = rated.carried
        charged += rated.charged
      }
      const whole: Usage = Object.fromEntries(
        METERS.map((meter) => [meter, pieces.reduce((sum, piece) => sum + ((piece as Usage)[meter] ?? 0n), 0n)]),
      )
      assert.equal(charged, rateInterval(DEFAULT_PRICE_BOOK, whole, {}, enough).charged)
      const exact = METERS.reduce(
        (sum, meter) =>
          sum + rate({ usage: whole[meter] ?? 0n, price: DEFAULT_PRICE_BOOK.prices[meter], carried: 0n }).micros,
        0n,
      )
      assert.equal(charged, exact)
    }),
    { numRuns: 300 * SCALE },
  )
})

test('an interval is never charged more than is held, and what is not charged is written down', () => {
  fc.assert(
    fc.property(big(10n ** 14n), big(10n ** 11n), big(200_000n), (cpu, egress, held) => {
      const rated = rateInterval(DEFAULT_PRICE_BOOK, { cpu, egress }, {}, held)
      const all = rateInterval(DEFAULT_PRICE_BOOK, { cpu, egress }, {}, 10n ** 15n)
      assert.ok(rated.charged <= held)
      assert.equal(rated.charged + rated.uncharged, all.charged)
      assert.equal(
        rated.lines.reduce((sum, line) => sum + line.micros, 0n),
        rated.charged,
      )
    }),
    { numRuns: 300 * SCALE },
  )
})
