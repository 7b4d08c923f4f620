import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatNonce, keyFromSeed, newSeed } from '@perennial/protocol'
import { FakeClock } from '../clock.ts'
import { Secret } from '../diagnostics.ts'
import { networkOf, openIdentity } from './index.ts'
import { openNonces } from './nonces.ts'

const DAY_MS = 86_400_000
const scale = Number(process.env['TEST_SCALE'] ?? 1)

async function identity(clock = new FakeClock()) {
  return openIdentity({ clock }, { node: await keyFromSeed(newSeed()), session: new Secret(newSeed()) })
}

const cookieOf = (setCookie: string | null) => setCookie!.split(';')[0]!

test('a visitor who comes back is the same key, and nothing was stored for them', async () => {
  const { sessions } = await identity()
  const first = await sessions.create()
  const again = await sessions.read(cookieOf(first.setCookie))
  assert.equal(again?.did, first.did)
  assert.match(first.did, /^did:key:z6Mk/)
  assert.equal(again?.setCookie, null)
  assert.match(
    first.setCookie!,
    /^__Host-perennial=[\w-]+\.[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=\d+$/,
  )
})

test('two visitors are two keys, and the form token of one is nothing in the hands of the other', async () => {
  const { sessions } = await identity()
  const [one, other] = [await sessions.create(), await sessions.create()]
  assert.notEqual(one.did, other.did)
  assert.ok(sessions.isFormToken(one, one.formToken))
  for (const token of [other.formToken, '', undefined, one.formToken.slice(1), `${one.formToken}x`])
    assert.ok(!sessions.isFormToken(one, token))
})

test('a session of another node, an old one, a changed one and one sent twice are nobody', async () => {
  const clock = new FakeClock()
  const { sessions } = await identity(clock)
  const stranger = (await (await identity(clock)).sessions.create()).setCookie
  assert.equal(await sessions.read(cookieOf(stranger)), null)
  const mine = cookieOf((await sessions.create()).setCookie)
  assert.equal(await sessions.read(`${mine}; ${mine}`), null)
  await fc.assert(
    fc.asyncProperty(fc.nat(mine.length - 18), fc.constantFrom('A', 'b', '0', '-'), async (at, sign) => {
      const place = 17 + at
      const changed = mine.slice(0, place) + sign + mine.slice(place + 1)
      const read = await sessions.read(changed)
      // The last sign of a base64url text may carry bits that mean nothing.
      if (read !== null) assert.equal(read.did, (await sessions.read(mine))!.did)
    }),
    { numRuns: 100 * scale },
  )
  await clock.advance(181 * DAY_MS)
  assert.equal(await sessions.read(mine), null)
})

test('a session is sealed anew after a week, and stays the same visitor', async () => {
  const clock = new FakeClock()
  const { sessions } = await identity(clock)
  const first = await sessions.create()
  await clock.advance(8 * DAY_MS)
  const renewed = await sessions.read(cookieOf(first.setCookie))
  assert.equal(renewed?.did, first.did)
  await clock.advance(175 * DAY_MS)
  assert.equal((await sessions.read(cookieOf(renewed!.setCookie)))?.did, first.did)
})

test('any Cookie header is read without an error', async () => {
  const { sessions } = await identity()
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ maxLength: 300 }), fc.base64String({ maxLength: 80 })), async (text) => {
      assert.equal(await sessions.read(`__Host-perennial=${text}`), null)
      assert.equal(await sessions.read(text), null)
    }),
    { numRuns: 200 * scale },
  )
})

test('a nonce is taken once, by the key it was made for, until it ends', async () => {
  const clock = new FakeClock()
  const { nonces } = await identity(clock)
  const [ours, theirs] = [(await keyFromSeed(newSeed())).did, (await keyFromSeed(newSeed())).did]
  const token = nonces.issue(ours)
  assert.ok(nonces.take(ours, formatNonce({ token, n: 5 })))
  assert.ok(!nonces.take(ours, formatNonce({ token, n: 5 })), 'a replay')
  assert.ok(nonces.take(ours, formatNonce({ token, n: 4 })), 'overtaken by a later one')
  assert.ok(!nonces.take(theirs, formatNonce({ token, n: 6 })), 'another key')
  for (const nonce of [undefined, '', 'x:1', `${token}:01`]) assert.ok(!nonces.take(ours, nonce))
  await clock.advance(601_000)
  assert.ok(!nonces.take(ours, formatNonce({ token, n: 7 })), 'expired')
})

test('a full table of nonces lets nobody replay: it refuses all earlier tokens', async () => {
  const nonces = openNonces({ clock: new FakeClock(), maxWindows: 3 })
  const { did } = await keyFromSeed(newSeed())
  const used = Array.from({ length: 3 }, () => formatNonce({ token: nonces.issue(did), n: 0 }))
  const next = formatNonce({ token: nonces.issue(did), n: 0 })
  assert.ok(used.every((nonce) => nonces.take(did, nonce)))
  assert.ok(!nonces.take(did, next), 'it is asked to come again')
  assert.ok(!used.some((nonce) => nonces.take(did, nonce)))
  assert.ok(nonces.take(did, formatNonce({ token: nonces.issue(did), n: 0 })))
})

test('an address that deploys too often waits, and is told how long', async () => {
  const clock = new FakeClock()
  const { limits } = await identity(clock)
  const waits = Array.from({ length: 11 }, () => limits.take('deploy by address', '203.0.113.7'))
  assert.deepEqual(
    waits.slice(0, 10),
    Array.from({ length: 10 }, () => 0),
  )
  assert.equal(waits[10], 360)
  assert.equal(limits.take('deploy by address', '203.0.113.8'), 0, 'another address is another bucket')
  await clock.advance(360_000)
  assert.equal(limits.take('deploy by address', '203.0.113.7'), 0)
  assert.equal(limits.take('deploy by address', '203.0.113.7'), 360)
})

test('a caller who changes between the addresses of one IPv6 network has one quota', async () => {
  const { limits } = await identity()
  const waits = Array.from({ length: 11 }, (_, at) =>
    limits.take('deploy by address', `2001:db8:0:1:${at.toString(16)}::${at}`),
  )
  assert.deepEqual(
    waits.map((wait) => wait > 0),
    [...Array.from({ length: 10 }, () => false), true],
  )
  assert.equal(limits.take('deploy by address', '2001:db8:0:2::1'), 0, 'another network is another caller')
})

test('an address stands for its network, however it is written', () => {
  for (const [address, network] of [
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['2001:DB8:0:1:2:3:4:5', '2001:db8:0:1::/64'],
    ['2001:db8::1:0:0:0:1', '2001:db8:0:1::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['unix', 'unix'],
  ] as const)
    assert.equal(networkOf(address), network)
  fc.assert(
    fc.property(fc.ipV6(), fc.ipV6(), (one, other) => {
      const [a, b] = [networkOf(one), networkOf(other)]
      assert.match(a, /^([0-9a-f]{1,4}:){4}:\/64$|^\d+\.\d+\.\d+\.\d+$/)
      const first64 = (text: string) => new URL(`http://[${text}]`).hostname
      if (first64(one) === first64(other)) assert.equal(a, b)
    }),
    { numRuns: 500 * scale },
  )
})

test('loopback has no limit as an address, its keys have', async () => {
  const { limits } = await identity()
  assert.ok(Array.from({ length: 1000 }, () => limits.take('call by address', '127.0.0.1')).every((wait) => wait === 0))
  const waits = Array.from({ length: 501 }, () => limits.take('change by key', 'did:key:z6MkX'))
  assert.equal(waits.filter((wait) => wait > 0).length, 1)
})
