import fc from 'fast-check'
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { Malformed } from './malformed.ts'
import { checkToken, formatNonce, issueToken, NonceWindow, parseNonce, tokenExpiry, WINDOW_SIZE } from './nonce.ts'
import { SCALE } from './testing/vectors.ts'

const now = 1_790_000_000
const did = 'did:key:z6Mkh4LmfP1ev9MNPGr7JbEbtD6BD4fsu1duEj83PMCs3xHG'
const macWith = (secret: string) => (message: Uint8Array) => createHmac('sha256', secret).update(message).digest()
const mac = macWith('secret')
const token = issueToken({ did, expiresAt: now + 600, serial: 7, mac })

test('a token is good for its key, its node and its time', () => {
  assert.equal(checkToken(token, { did, now, mac }), 'good')
  assert.equal(checkToken(token, { did, now: now + 599, mac }), 'good')
  assert.equal(checkToken(token, { did, now: now + 600, mac }), 'expired')
  assert.equal(checkToken(token, { did: `${did}x`, now, mac }), 'foreign')
  assert.equal(checkToken(token, { did, now, mac: macWith('another') }), 'foreign')
  assert.equal(tokenExpiry(token), now + 600)
  assert.equal(tokenExpiry('AAAAAGqxW3g.5Yw2hV0m1b0iJp6QkW3nTQ'), 0x6ab15b78)
  assert.notEqual(token, issueToken({ did, expiresAt: now + 600, serial: 8, mac }))
})

test('a token with one character changed is foreign', () => {
  for (let i = 0; i < token.length; i++) {
    const changed = `${token.slice(0, i)}${token[i] === 'B' ? 'C' : 'B'}${token.slice(i + 1)}`
    let verdict
    try {
      verdict = checkToken(changed, { did, now, mac })
    } catch (error) {
      // Some last characters carry bits past the end, which no token of ours has.
      assert.ok(error instanceof Malformed)
      continue
    }
    assert.equal(verdict, 'foreign')
  }
})

test('a nonce is read as it was written, and any other text is refused', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999_999_999 }), fc.string({ maxLength: 80 }), (n, text) => {
      assert.deepEqual(parseNonce(formatNonce({ token, n })), { token, n })
      assert.throws(() => parseNonce(text), Malformed)
      assert.equal(checkToken(text, { did, now, mac }), 'foreign')
    }),
    { numRuns: 200 * SCALE },
  )
  for (const wrong of [`${token}:01`, `${token}:-1`, `${token}:`, token, `${token}:1 `, `${token}:1e3`]) {
    assert.throws(() => parseNonce(wrong), Malformed)
  }
})

test('no number is taken twice, in whatever order and with whatever gaps requests arrive', () => {
  const numbers = fc.array(fc.oneof(fc.nat(3_000), fc.nat(50), fc.nat(2 ** 30)), { maxLength: 300 })
  fc.assert(
    fc.property(numbers, (order) => {
      const window = new NonceWindow()
      const taken = new Set<number>()
      for (const n of [...order, ...order]) {
        const highest = Math.max(-1, ...taken)
        const fresh = !taken.has(n) && n > highest - WINDOW_SIZE
        assert.equal(window.take(n), fresh)
        if (fresh) taken.add(n)
      }
    }),
    { numRuns: 100 * SCALE },
  )
})

test('requests may overtake each other by a window and no further', () => {
  const window = new NonceWindow()
  assert.ok(window.take(WINDOW_SIZE))
  assert.ok(!window.take(0))
  assert.ok(window.take(1))
  assert.ok(window.take(999_999_999_999_999))
  assert.ok(!window.take(WINDOW_SIZE + 1))
})
