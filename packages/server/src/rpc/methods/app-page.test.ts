import assert from 'node:assert/strict'
import { test } from 'node:test'
import { together } from './app-page.ts'

const HOUR = 3_600_000

test('purse and reserve over time are one line that a payment moves up', () => {
  const at = (hour: number) => new Date(hour * HOUR)
  const purse = [
    { at: at(1), balance: 0n },
    { at: at(1), balance: 50n },
    { at: at(5), balance: 30n },
  ]
  const reserve = [
    { at: at(0), balance: 0n },
    { at: at(2), balance: 45n },
  ]
  assert.deepEqual(together(purse, reserve), [
    { at: at(1), balance: 0n },
    { at: at(1), balance: 50n },
    { at: at(2), balance: 50n },
    { at: at(2), balance: 95n },
    { at: at(5), balance: 75n },
  ])
})
