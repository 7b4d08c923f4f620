import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatDecimals, parseAmount } from '@perennial/protocol'
import * as f from './fixtures.ts'
import { addingUp, columnDecimals, costDecimals, day, duration, range } from './format.ts'
import { deploymentPage } from './pages/deployment.ts'

const scale = Number(process.env['TEST_SCALE'] ?? 1)

test('a mean day adds up to its mean, and no kind is off by more than its last place', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 0n, max: 3_000_000n }), { minLength: 6, maxLength: 6 }), (rows) => {
      const { shown, sum } = addingUp(rows)
      const parsed = shown.map((text) => parseAmount(text))
      assert.equal(
        parsed.reduce((total, one) => total + one, 0n),
        parseAmount(sum),
      )
      const step = 10n ** BigInt(6 - (sum.split('.')[1]?.length ?? 0))
      for (const [index, row] of rows.entries()) assert.ok(parsed[index]! - row < step && row - parsed[index]! < step)
    }),
    { numRuns: 200 * scale },
  )
})

test('a column has two decimals until it would seem to lose a cent', () => {
  assert.equal(columnDecimals([1_000_000n, 2_500_000n]), 2)
  assert.equal(columnDecimals([5_000n, 5_000n]), 3)
  assert.equal(formatDecimals(5_000n, 3), '0.005')
})

test('a sum of very little shows two digits of it', () => {
  assert.equal(costDecimals([3n, 1n, 0n]), 6)
  assert.equal(costDecimals([3_600n, 200n]), 4)
  assert.equal(costDecimals([0n, 0n]), 2)
})

test('what cost anything is never shown as nothing, beside however much', () => {
  assert.equal(costDecimals([9_999n, 1n]), 6)
  assert.equal(costDecimals([20_000n, 400n]), 4)
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 0n, max: 99_999_999n }), { minLength: 1, maxLength: 8 }), (rows) => {
      const decimals = costDecimals(rows)
      for (const row of rows)
        assert.equal(/[1-9]/.test(formatDecimals(row, decimals)), row > 0n, `${row} of ${rows.join()}`)
    }),
    { numRuns: 200 * scale },
  )
  const tiny = {
    ...f.deployment,
    steps: f.deployment.steps.map((step, at) => ({ ...step, cost: [9_999n, 1n, 0n][at]! })),
    cost: 10_000n,
  }
  assert.match(String(deploymentPage({ deployment: tiny, app: f.app, log: [] }, f.frame)), /<span>0\.000001<\/span>/)
})

test('a range of days is as short as it is clear', () => {
  const date = (text: string) => new Date(`${text}T00:00:00Z`)
  const said = (from: string, to: string) => range(date(from), date(to)).replaceAll('\u00a0', ' ')
  assert.equal(said('2026-11-27', '2026-11-30'), '27–30 Nov 2026')
  assert.equal(said('2027-01-12', '2027-02-07'), '12 Jan – 7 Feb 2027')
  assert.equal(said('2026-12-28', '2027-01-04'), '28 Dec – 4 Jan 2027')
  assert.equal(said('2027-01-12', '2028-02-07'), '12 Jan 2027 – 7 Feb 2028')
  assert.equal(said('2027-01-12', '2027-01-12'), '12 Jan 2027')
  assert.equal(day(date('2026-11-21')).replaceAll('\u00a0', ' '), '21 Nov 2026')
  assert.equal(duration(134_000).replaceAll('\u00a0', ' '), '2 min 14 s')
})
