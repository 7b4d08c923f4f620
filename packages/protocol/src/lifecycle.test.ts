import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayBuild, permitted, reserveTarget, runwayOf, stateOf, timeFor, type State } from './lifecycle.ts'
import { Malformed } from './malformed.ts'
import { DEFAULT_PRICE_BOOK } from './price-book.default.ts'
import { formatPriceBook, maxBurnPerHour, parsePriceBook, type Limits } from './price-book.ts'
import { sha256 } from './sha256.ts'
import { SCALE, vectors } from './testing/vectors.ts'
import { toHex, utf8 } from './bytes.ts'

const now = new Date('2026-11-21T08:00:00Z')
const DAY = 86_400_000
const days = (date: Date | null) => (date ? (date.getTime() - now.getTime()) / DAY : null)
const money = { now, maxBurnPerHour: 100_000n, idlePerHour: 1_000n }

test('before seven days of use the range runs from the maximum burn to the idle cost, and says that it is an estimate', () => {
  const range = runwayOf({ ...money, liquid: 2_400_000n, dailyCosts: [1n, 2n, 3n, 4n, 5n, 6n] })
  assert.deepEqual([days(range.earliest), days(range.latest), range.estimate], [1, 100, true])
})

test('after that it runs from the dearest to the cheapest seven days in a row', () => {
  const dailyCosts = [...Array.from({ length: 7 }, () => 1_000_000n), ...Array.from({ length: 7 }, () => 2_000_000n)]
  const range = runwayOf({ ...money, liquid: 10_000_000n, dailyCosts })
  assert.deepEqual([days(range.earliest), days(range.latest), range.estimate], [5, 10, false])
})

test('what is more than 60 days ago no longer counts', () => {
  const dailyCosts = [...Array.from({ length: 7 }, () => 50_000_000n), ...Array.from({ length: 60 }, () => 1_000_000n)]
  assert.equal(days(runwayOf({ ...money, liquid: 10_000_000n, dailyCosts }).earliest), 10)
})

test('what costs nothing has no end, and what nobody could wait for counts as none', () => {
  assert.equal(timeFor({ amount: 1n, cost: 0n, perDays: 1 }), null)
  assert.equal(timeFor({ amount: 9_000_000_000_000_000n, cost: 1n, perDays: 7 }), null)
  assert.equal(timeFor({ amount: 0n, cost: 0n, perDays: 1 }), 0)
})

test('money never lasts longer at a higher cost, and more money never ends sooner', () => {
  const cost = fc.bigInt({ min: 0n, max: 10n ** 9n })
  const amount = fc.bigInt({ min: 0n, max: 10n ** 12n })
  fc.assert(
    fc.property(
      fc.array(cost, { maxLength: 80 }),
      amount,
      amount,
      cost,
      cost,
      (dailyCosts, liquid, more, burn, idle) => {
        const [idlePerHour, maxBurn] = idle < burn ? [idle, burn] : [burn, idle]
        const end = (date: Date | null) => date?.getTime() ?? Number.POSITIVE_INFINITY
        const range = runwayOf({ now, liquid, dailyCosts, maxBurnPerHour: maxBurn, idlePerHour })
        const richer = runwayOf({ now, liquid: liquid + more, dailyCosts, maxBurnPerHour: maxBurn, idlePerHour })
        assert.ok(end(range.earliest) <= end(range.latest))
        assert.ok(end(range.earliest) <= end(richer.earliest) && end(range.latest) <= end(richer.latest))
      },
    ),
    { numRuns: 200 * SCALE },
  )
})

test('the state follows the runway: 14 days, 3 days, nothing', () => {
  const state = (liquid: bigint, dailyCosts: bigint[]) => {
    const runway = runwayOf({ ...money, liquid, dailyCosts })
    return stateOf({ liquid, runway, now, archived: false })
  }
  const week = Array.from({ length: 7 }, () => 1_000_000n)
  assert.equal(state(14_000_000n, week), 'funded')
  assert.equal(state(13_999_999n, week), 'low')
  assert.equal(state(3_000_000n, week), 'low')
  assert.equal(state(2_999_999n, week), 'thrifty')
  assert.equal(state(0n, week), 'frozen')
  assert.equal(state(100_000_000n, []), 'funded')
  assert.equal(state(2_400_000n, []), 'low', 'one day at the maximum burn, but nobody has seen it burn')
  assert.equal(state(71_000n, []), 'thrifty', 'less than three days even when idle')
  assert.equal(
    stateOf({ liquid: 9n, runway: runwayOf({ ...money, liquid: 9n, dailyCosts: [] }), now, archived: true }),
    'archived',
  )
})

test('each state permits what the house says, and a first build is never forbidden', () => {
  const states: State[] = ['funded', 'low', 'thrifty', 'frozen', 'archived']
  assert.deepEqual(
    states.map((state) => permitted(state).compute),
    [true, true, true, false, false],
  )
  assert.deepEqual(
    states.map((state) => permitted(state).background),
    [true, true, false, false, false],
  )
  assert.deepEqual(
    states.map((state) => permitted(state).stayAwake),
    [true, true, false, false, false],
  )
  assert.ok(states.every((state) => mayBuild({ state, hasRelease: false })))
  assert.deepEqual(
    states.map((state) => mayBuild({ state, hasRelease: true })),
    [true, true, false, false, false],
  )
})

test('a gigabyte kept for 30 days is a reserve of 0.15', () => {
  assert.equal(reserveTarget(DEFAULT_PRICE_BOOK, 1_000_000_000n), 150_000n)
})

interface Books {
  default: { text: string; sha256: string }
  maxBurnPerHour: { limits: Limits; micros: string }[]
}
const known = await vectors<Books>('price-book')

test('the default price book is the published file, to the byte', () => {
  assert.equal(formatPriceBook(DEFAULT_PRICE_BOOK), known.default.text)
  assert.equal(toHex(sha256(utf8(known.default.text))), known.default.sha256)
  assert.deepEqual(parsePriceBook(known.default.text), DEFAULT_PRICE_BOOK)
})

test('nothing within its limits can spend more than its maximum burn', () => {
  for (const { limits, micros } of known.maxBurnPerHour) {
    // Each meter may also bring the rest of a micro from the hour before.
    const most = maxBurnPerHour(DEFAULT_PRICE_BOOK, limits)
    assert.ok(most >= BigInt(micros) && most <= BigInt(micros) + 5n)
  }
})

test('a price book that is wrong is refused in words that say where', () => {
  const change = (path: string, value: unknown) => {
    const book = JSON.parse(known.default.text) as Record<string, unknown>
    const keys = path.split('.')
    const last = keys.pop()!
    const parent = keys.reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, book)
    if (value === undefined) delete parent[last]
    else parent[last] = value
    return JSON.stringify(book)
  }
  const wrong: [string, RegExp][] = [
    ['{', /not JSON/],
    ['[]', /price book is wrong/],
    [' '.repeat(20_000), /longer than 16384/],
    [change('format', 'x'), /perennial-price-book\/1/],
    [change('asset', 'euro'), /2 to 10 capitals/],
    [change('prices.cpu', undefined), /prices\.cpu/],
    [change('prices.disk.per', '0'), /price of disk is per 0/],
    [change('prices.disk.micros', 5), /prices\.disk\.micros/],
    [change('prices.disk.micros', '-5'), /decimal digits/],
    [change('prices.gpu', { micros: '1', per: '1' }), /gpu/],
  ]
  for (const [text, message] of wrong)
    assert.throws(
      () => parsePriceBook(text),
      (error: Error) => {
        assert.ok(error instanceof Malformed)
        assert.match(error.message, message)
        return true
      },
    )
})

test('no text makes the price book parser do anything but answer or refuse', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.json(),
    fc.json().map((json) => `{"format":"perennial-price-book/1","prices":${json}}`),
  )
  fc.assert(
    fc.property(texts, (text) => {
      assert.throws(() => parsePriceBook(text), Malformed)
    }),
    { numRuns: 200 * SCALE },
  )
})
