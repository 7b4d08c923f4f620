import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeBase58, encodeBase58 } from './base58.ts'
import { fromBase64, fromHex, toBase64, toHex, utf8 } from './bytes.ts'
import { contentDigest, digestMatches } from './digest.ts'
import { didOf, isDid, keyFromSeed, newSeed, publicKeyOf, verifySignature } from './keys.ts'
import { Malformed } from './malformed.ts'
import { signatureBase } from './signature-base.ts'
import { signRequest, verifyRequest, type RequestToSign } from './signatures.ts'
import { parseDictionary, type InnerList } from './structured-fields.ts'
import { vectors } from './testing/vectors.ts'

interface Written {
  readonly method: string
  readonly url: string
  readonly headers: [string, string][]
  readonly body?: string
}
interface Vectors {
  rfc9421: { seed: string; request: Written; input: string; base: string; signature: string }
  request: Written & { seed: string; did: string; origins: string[]; nowSeconds: number; nonce: string }
  refuse: { name: string; change: Partial<Written>; context?: { origins?: string[]; nowSeconds?: number } }[]
  digest: { body: string; header: string }[]
}
interface Keys {
  keys: { seed: string; publicKey: string; did: string }[]
  base58: { bytes: string; text: string }[]
  refuse: string[]
}
const known = await vectors<Vectors>('call')
const keys = await vectors<Keys>('keys')

function requestOf({ method, url, headers, body }: Written): RequestToSign {
  return { method, url, headers: new Headers(headers), body: body === undefined ? undefined : utf8(body) }
}

test('a key is named by its public bytes, one name each, and what is no key is refused', async () => {
  for (const { seed, publicKey, did } of keys.keys) {
    assert.equal((await keyFromSeed(fromHex(seed))).did, did)
    assert.equal(didOf(fromHex(publicKey)), did)
    assert.equal(toHex(publicKeyOf(did)), publicKey)
  }
  for (const { bytes, text } of keys.base58) {
    assert.equal(encodeBase58(fromHex(bytes)), text)
    assert.equal(toHex(decodeBase58(text)), bytes)
  }
  for (const did of keys.refuse) assert.equal(isDid(did), false, did.slice(0, 80))
  await assert.rejects(keyFromSeed(new Uint8Array(31)), Malformed)
})

test('a key for which anyone can sign is refused, whether or not the engine knows such keys', async () => {
  // Node 20's engine takes this signature for every message; Node 26's does not.
  const identity = fromHex(`01${'00'.repeat(31)}`)
  const signature = fromHex(`01${'00'.repeat(63)}`)
  const verdict = verifySignature({ did: didOf(identity), message: utf8('anything'), signature })
  await assert.rejects(verdict, /anyone can sign for this key/)
})

test('the text to sign is that of RFC 9421 B.2.6, and so is the signature', async () => {
  const { seed, request, input, base, signature } = known.rfc9421
  const covered = parseDictionary(`sig=${input}`).get('sig') as InnerList
  assert.equal(signatureBase({ request: requestOf(request) }, covered), base)
  const key = await keyFromSeed(fromHex(seed))
  assert.equal(toBase64(await key.sign(utf8(base))), signature)
  assert.equal(await verifySignature({ did: key.did, message: utf8(base), signature: fromBase64(signature) }), true)
})

test('a request is signed to the very bytes of the spec', async () => {
  const { seed, did, nonce, nowSeconds, origins, headers, ...rest } = known.request
  const request = requestOf({ ...rest, headers: [] })
  await signRequest(request, { key: await keyFromSeed(fromHex(seed)), nonce, nowSeconds })
  assert.deepEqual(new Map(request.headers), new Map(headers))
  const check = await verifyRequest(request, { origins, nowSeconds })
  assert.deepEqual(check, { status: 'valid', did, nonce, expires: nowSeconds + 60 })
})

test('every forgery in the spec is refused', async () => {
  const { origins, nowSeconds } = known.request
  assert.ok(known.refuse.length >= 40)
  for (const { name, change, context } of known.refuse) {
    const check = await verifyRequest(requestOf({ ...known.request, ...change }), { origins, nowSeconds, ...context })
    assert.equal(check.status, 'invalid', name)
  }
})

test('any change of any covered part, and of no other, breaks the signature', async () => {
  const key = await keyFromSeed(newSeed())
  const origins = ['http://127.0.0.1:8080']
  const nowSeconds = 1_790_000_000
  const headers = { 'content-type': 'application/json', 'idempotency-key': '"1"', 'x-other': '1' }
  const url = 'http://127.0.0.1:8080/oc/funding/quote?amount=1&app=hello'
  const signed = async () => {
    const request = { method: 'POST', url, headers: new Headers(headers), body: utf8('{}') }
    await signRequest(request, { key, nonce: 'token:1', nowSeconds })
    return request
  }
  const status = async (change: (request: RequestToSign) => RequestToSign) => {
    return (await verifyRequest(change(await signed()), { origins, nowSeconds })).status
  }
  const withHeader = (name: string, value: string) => (request: RequestToSign) => {
    request.headers.set(name, value)
    return request
  }
  assert.equal(await status((request) => request), 'valid', 'the control')
  assert.equal(await status(withHeader('x-other', '2')), 'valid', 'what is not covered may change on its way')
  assert.equal(await status(withHeader('content-type', 'text/plain')), 'invalid')
  assert.equal(await status(withHeader('content-type', 'application/json, text/plain')), 'invalid')
  assert.equal(await status(withHeader('idempotency-key', '"2"')), 'invalid')
  assert.equal(await status(withHeader('payment-signature', 'x')), 'invalid')
  assert.equal(await status((request) => ({ ...request, url: url.replace('amount=1', 'amount=2') })), 'invalid')
  assert.equal(await status((request) => ({ ...request, url: url.replace('=hello', '=hell&o') })), 'invalid')
  assert.equal(await status((request) => ({ ...request, method: 'PUT' })), 'invalid')
  assert.equal(await status((request) => ({ ...request, url: 'http://a b/' })), 'invalid')
  assert.equal(await status((request) => ({ ...request, body: utf8('{} ') })), 'invalid')
})

test('a request that is not signed is said to be so, not refused', async () => {
  const request = { method: 'GET', url: 'https://node.example/oc/apps/list', headers: new Headers() }
  assert.deepEqual(await verifyRequest(request, { origins: [], nowSeconds: 0 }), { status: 'unsigned' })
})

test('a digest is exactly one SHA-256 of exactly this body', () => {
  for (const { body, header } of known.digest) {
    assert.equal(contentDigest(utf8(body)), header)
    assert.equal(digestMatches(header, utf8(body)), true)
    for (const wrong of [
      `${header}, ${header}`,
      `${header};a`,
      header.replace('256', '512'),
      '',
      'sha-256',
      'sha-256=1',
    ]) {
      assert.equal(digestMatches(wrong, utf8(body)), false, wrong)
    }
  }
})
