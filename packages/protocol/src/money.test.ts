import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allocate, WHOLE } from './allocate.ts'
import { splitPayment } from './lifecycle.ts'
import { Malformed } from './malformed.ts'
import { amountText, formatAmount, formatDecimals, formatExact, parseAmount, parseMicros } from './micros.ts'
import { rate, rateCeiling, type Price } from './rate.ts'
import { SCALE, vectors } from './testing/vectors.ts'

interface Vectors {
  parse: { text: string; micros: string }[]
  refuse: string[]
  format: { micros: string; short: string; exact: string }[]
  rate: { price: { micros: string; per: string }; usage: string[]; charges: string[] }[]
  allocate: { amount: string; ppm: Record<string, string>; paid: Record<string, string> }[]
  payment: { amount: string; reserve: string; reserveTarget: string; parts: Record<string, string> }[]
}
const known = await vectors<Vectors>('money')

const amounts = fc.bigInt({ min: 0n, max: 9_000_000_000_000_000n })
const prices: fc.Arbitrary<Price> = fc.record({
  micros: fc.bigInt({ min: 0n, max: 10n ** 9n }),
  per: fc.bigInt({ min: 1n, max: 10n ** 20n }),
})
const usages = fc.array(fc.bigInt({ min: 0n, max: 10n ** 20n }), { minLength: 1, maxLength: 30 })

/** What a sequence of intervals is charged, one by one, and what is left to carry. */
function chargeEach(price: Price, intervals: readonly bigint[]): { charges: bigint[]; carried: bigint } {
  let carried = 0n
  const charges = intervals.map((usage) => {
    const rated = rate({ usage, price, carried })
    carried = rated.carried
    return rated.micros
  })
  return { charges, carried }
}

const sum = (values: Iterable<bigint>) => [...values].reduce((total, value) => total + value, 0n)

test('5.00 is five million micros, and what is not plainly an amount is refused', () => {
  for (const { text, micros } of known.parse) assert.equal(parseAmount(text), BigInt(micros), text)
  for (const text of known.refuse) assert.throws(() => parseAmount(text), Malformed, JSON.stringify(text))
})

test('an amount is shown with the fewest digits that are true, and exactly where it is booked', () => {
  for (const { micros, short, exact } of known.format) {
    assert.equal(formatAmount(BigInt(micros)), short)
    assert.equal(formatExact(BigInt(micros)), exact)
  }
  assert.equal(formatDecimals(1_999_999n, 0), '1')
  assert.equal(formatDecimals(1_999_999n, 4), '1.9999')
})

test('what is written as an amount reads back as the same micros', () => {
  fc.assert(
    fc.property(amounts, (micros) => {
      assert.equal(parseAmount(amountText(micros)), micros)
      assert.equal(parseMicros(micros.toString()), micros)
      assert.equal(parseMicros((-micros).toString()), -micros)
    }),
    { numRuns: 200 * SCALE },
  )
})

test('no text makes an amount parser do anything but answer or refuse', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[-+0-9.,e]{0,30}$/),
    fc.string({ unit: 'binary', maxLength: 400 }),
  )
  fc.assert(
    fc.property(texts, (text) => {
      for (const parse of [parseAmount, parseMicros]) {
        try {
          assert.equal(typeof parse(text), 'bigint')
        } catch (error) {
          assert.ok(error instanceof Malformed)
        }
      }
    }),
    { numRuns: 500 * SCALE },
  )
})

test('each interval is charged what the vectors say', () => {
  for (const { price, usage, charges } of known.rate) {
    const exact = { micros: BigInt(price.micros), per: BigInt(price.per) }
    assert.deepEqual(chargeEach(exact, usage.map(BigInt)).charges, charges.map(BigInt))
  }
})

test('any split of an interval charges the same, and carries the same', () => {
  fc.assert(
    fc.property(prices, usages, (price, pieces) => {
      const split = chargeEach(price, pieces)
      const whole = chargeEach(price, [sum(pieces)])
      assert.equal(sum(split.charges), sum(whole.charges))
      assert.equal(split.carried, whole.carried)
    }),
    { numRuns: 300 * SCALE },
  )
})

test('what is held for a usage always covers its charge, and is never a micro too much to explain', () => {
  fc.assert(
    fc.property(prices, usages, (price, [usage = 0n, ...before]) => {
      const { carried } = chargeEach(price, before)
      const { micros } = rate({ usage, price, carried })
      const ceiling = rateCeiling({ usage, price })
      assert.ok(micros <= ceiling)
      assert.ok(ceiling - (usage * price.micros) / price.per <= 1n)
    }),
    { numRuns: 300 * SCALE },
  )
})

test('a split by shares loses and creates nothing, and pays nobody a micro more or less than their share', () => {
  for (const { amount, ppm, paid } of known.allocate) {
    const shares = Object.entries(ppm).map(([name, share]) => ({ name, ppm: BigInt(share) }))
    const result = allocate(BigInt(amount), shares)
    assert.deepEqual(Object.fromEntries([...result].map(([name, micros]) => [name, micros.toString()])), paid)
  }
  const cuts = fc.array(fc.bigInt({ min: 0n, max: WHOLE }), { maxLength: 12 })
  fc.assert(
    fc.property(amounts, cuts, (amount, points) => {
      const edges = [0n, ...points.sort((a, b) => (a < b ? -1 : 1)), WHOLE]
      const shares = edges.slice(1).map((edge, i) => ({ name: `payee ${i}`, ppm: edge - edges[i]! }))
      const paid = allocate(amount, shares)
      assert.equal(sum(paid.values()), amount)
      for (const { name, ppm } of shares) {
        const floor = (amount * ppm) / WHOLE
        assert.ok(paid.get(name)! === floor || paid.get(name)! === floor + 1n)
      }
      const reversed = allocate(amount, [...shares].reverse())
      assert.deepEqual(
        Object.fromEntries(reversed),
        Object.fromEntries(paid),
        'the order of the shares decides nothing',
      )
    }),
    { numRuns: 200 * SCALE },
  )
})

test('shares that do not make a whole are refused', () => {
  const half = { name: 'a', ppm: 500_000n }
  assert.throws(() => allocate(1n, [half]), /sum to 1000000 ppm, not 500000/)
  assert.throws(() => allocate(1n, [half, half]), /named twice/)
  assert.throws(() => allocate(1n, [half, { name: 'b', ppm: -1n }]), /negative/)
})

test('of each payment 5 % goes to the commons, then half to the reserve until it is full, and nothing is lost', () => {
  for (const { amount, reserve, reserveTarget, parts } of known.payment) {
    const split = splitPayment({
      amount: BigInt(amount),
      reserve: BigInt(reserve),
      reserveTarget: BigInt(reserveTarget),
    })
    const shown = Object.fromEntries(Object.entries(split).map(([name, micros]) => [name, micros.toString()]))
    assert.deepEqual(shown, parts)
  }
  fc.assert(
    fc.property(amounts, amounts, amounts, (amount, reserve, reserveTarget) => {
      const parts = splitPayment({ amount, reserve, reserveTarget })
      assert.equal(parts.commons + parts.reserve + parts.purse, amount)
      assert.ok(parts.purse >= parts.reserve, 'at least half of what is left runs the app')
      assert.ok(parts.reserve === 0n || parts.reserve + reserve <= reserveTarget)
    }),
    { numRuns: 200 * SCALE },
  )
})
