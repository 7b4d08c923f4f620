import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { formatLife, isAlive, lifeOf, parseLife } from './life.ts'

test('a process is known again by its birth, not by its number', () => {
  const me = lifeOf(process.pid)
  assert.ok(me)
  assert.deepEqual(parseLife(formatLife(me)), me)
  assert.equal(isAlive(me, process.execPath), true)
  assert.equal(isAlive(me, 'another program'), false)
  assert.equal(isAlive({ ...me, born: me.born.replace(/^\d+/, (ticks) => String(Number(ticks) - 1)) }, ''), false)
  assert.equal(isAlive({ ...me, born: me.born.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')) }, ''), false)
})

test('a note that was cut short, or is no note, names nobody', () => {
  const whole = formatLife({ pid: 812, born: '443251 1f0b2c5e-4f0a-4f57-9c56-0a1c9d9a5d0e' })
  for (let length = 0; length < whole.length; length++) assert.equal(parseLife(whole.slice(0, length)), undefined)
  fc.assert(fc.property(fc.string(), (text) => assert.equal(parseLife(text), undefined)))
})
