import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nextDue } from './schedule.ts'

const next = (schedule: string, after: string) => nextDue(schedule, new Date(after))?.toISOString() ?? null

test('a schedule is due at the next minute that it names', () => {
  assert.equal(next('* * * * *', '2026-11-21T10:00:00Z'), '2026-11-21T10:01:00.000Z')
  assert.equal(next('0 3 * * *', '2026-11-21T10:00:00Z'), '2026-11-22T03:00:00.000Z')
  assert.equal(next('5,35 8-18 * * 1-5', '2026-11-20T18:36:00Z'), '2026-11-23T08:05:00.000Z')
  assert.equal(next('*/15 * * * *', '2026-12-31T23:50:10Z'), '2027-01-01T00:00:00.000Z')
  assert.equal(next('0 0 29 2 *', '2026-03-01T00:00:00Z'), '2028-02-29T00:00:00.000Z')
})

test('of day and weekday either does, where both are said', () => {
  assert.equal(next('0 0 13 * 5', '2026-11-14T00:00:00Z'), '2026-11-20T00:00:00.000Z')
  assert.equal(next('0 0 13 * 7', '2026-11-21T10:00:00Z'), '2026-11-22T00:00:00.000Z')
})

test('a day that never comes is due never', () => {
  assert.equal(next('0 0 31 2 *', '2026-01-01T00:00:00Z'), null)
})

test('what is due is later, a whole minute, and no earlier minute is named', () => {
  const field = (from: number, to: number) => fc.oneof(fc.constant('*'), fc.integer({ min: from, max: to }).map(String))
  fc.assert(
    fc.property(field(0, 59), field(0, 23), fc.integer({ min: 0, max: 4e12 }), (minute, hour, ms) => {
      const due = nextDue(`${minute} ${hour} * * *`, new Date(ms))
      assert.ok(due && due.getTime() > ms && due.getTime() % 60_000 === 0)
      assert.ok(minute === '*' || due.getUTCMinutes() === Number(minute))
      assert.ok(hour === '*' || due.getUTCHours() === Number(hour))
      assert.ok(due.getTime() - ms <= 86_400_000)
    }),
  )
})
