import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf, instance } from './instance.ts'
import { openNumbers } from './numbers.ts'

test('a number that was given back is used again only after all others', () => {
  const numbers = openNumbers({ capacity: 4, taken: [1] })
  assert.deepEqual([numbers.take(), numbers.take()], [2, 3])
  numbers.give(2)
  assert.deepEqual([numbers.take(), numbers.take()], [0, 2])
  assert.throws(() => numbers.take(), { code: 'no-room', message: /all 4 places/ })
})

test('every number has an address of its own in the subnet, none of them the door', () => {
  const at = instance({ root: '/srv/x', images: '/srv/x/images', uid: 1, gid: 1, subnet: '10.99.0.0/16' })
  const addresses = new Set(Array.from({ length: 8000 }, (_, index) => addressOf(at, index)))
  assert.equal(addresses.size, 8000)
  assert.ok(!addresses.has(at.doorAddress))
  for (const address of addresses) {
    const parts = address.split('.').map(Number)
    assert.ok(address.startsWith('10.99.') && parts.every((part) => part >= 0 && part <= 255), address)
  }
})
