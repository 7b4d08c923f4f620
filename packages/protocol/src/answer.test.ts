import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from './bytes.ts'
import { canonicalText, type Json } from './canonical.ts'
import { contentDigest } from './digest.ts'
import { keyFromSeed, newSeed } from './keys.ts'
import { Malformed } from './malformed.ts'
import { HTTP_STATUS, isRefusal, isRetryable, problemOf, refusalOf, refuse, type RefusalStatus } from './problem.ts'
import { formatReceipt, parseReceipt, receiptHash, signReceipt, verifyReceipt, type Receipt } from './receipt.ts'
import { signResponse, verifyResponse, type Answer } from './response-signature.ts'
import { signRequest, type RequestToSign } from './signatures.ts'

const nowSeconds = 1_790_000_000
const caller = await keyFromSeed(newSeed())
const node = await keyFromSeed(newSeed())

async function asked(body = '{"app":"hello"}', nonce = 'token:1'): Promise<RequestToSign> {
  const headers = new Headers({ 'content-type': 'application/json' })
  const request = { method: 'POST', url: 'http://127.0.0.1:8080/oc/apps/get', headers, body: utf8(body) }
  await signRequest(request, { key: caller, nonce, nowSeconds })
  return request
}

async function answered(request: RequestToSign): Promise<Answer> {
  const headers = new Headers({ 'content-type': 'application/json', 'oc-status': 'ok', 'oc-nonce': 'next' })
  const answer = { status: 200, headers, body: utf8('{"state":"funded"}') }
  await signResponse(answer, { request, key: node, nowSeconds })
  return answer
}

test('an answer and its request together prove who said what to whom', async () => {
  const request = await asked()
  const check = await verifyResponse(await answered(request), { request })
  assert.deepEqual(check, { status: 'valid', did: node.did, created: nowSeconds })
})

test('an answer fits no other request: not another body, not the same request sent again', async () => {
  const answer = await answered(await asked())
  for (const request of [await asked('{"app":"other"}'), await asked('{"app":"hello"}', 'token:2')]) {
    assert.equal((await verifyResponse(answer, { request })).status, 'invalid')
  }
})

test('any change of an answer is noticed', async () => {
  const request = await asked()
  const other = utf8('{"state":"frozen"}')
  const changes: Record<string, (answer: Answer) => Answer> = {
    body: (answer) => ({ ...answer, body: other }),
    status: (answer) => ({ ...answer, status: 201 }),
    'body and digest': (answer) => (
      answer.headers.set('content-digest', contentDigest(other)),
      { ...answer, body: other }
    ),
    'oc-status': (answer) => (answer.headers.set('oc-status', 'server-error'), answer),
    'oc-nonce': (answer) => (answer.headers.delete('oc-nonce'), answer),
    'content-type': (answer) => (answer.headers.set('content-type', 'text/html'), answer),
    'what is covered': (answer) => {
      const input = answer.headers.get('signature-input')!
      answer.headers.set('signature-input', input.replace(' "signature";req;key="oc"', ''))
      return answer
    },
    tag: (answer) => {
      const input = answer.headers.get('signature-input')!
      answer.headers.set('signature-input', input.replace('opencloud-response/1', 'opencloud/1'))
      return answer
    },
  }
  for (const [what, change] of Object.entries(changes)) {
    const check = await verifyResponse(change(await answered(request)), { request })
    assert.equal(check.status, 'invalid', what)
  }
})

test('a refusal survives its way over the wire, with the terms that would make it a yes', () => {
  for (const status of Object.keys(HTTP_STATUS) as RefusalStatus[]) {
    const refusal = refuse(status, 'It costs 0.10. Nothing was charged.', 'Pay 0.10.', {
      minimum: 100_000n,
      retryAfterSeconds: 3,
    })
    const body: unknown = JSON.parse(JSON.stringify(problemOf(refusal, 'request-1')))
    assert.deepEqual(refusalOf(body), refusal)
    assert.ok(isRefusal(refusal))
  }
  assert.equal(problemOf(refuse('request-declined/payment/too-low', '')).title, 'Payment too low')
  assert.ok(isRetryable(refuse('request-declined/rate-limit', '')))
  assert.ok(!isRetryable(refuse('access-denied', '')))
})

test('a status from a later version is read as the branch of the tree it stands on', () => {
  const read = (ocStatus: string) => refusalOf({ ...problemOf(refuse('server-error', '')), ocStatus })?.refusal
  assert.equal(read('client-error/too-purple'), 'client-error/bad-request')
  assert.equal(read('request-declined/payment/in-shells'), 'request-declined/payment-required')
  assert.equal(read('request-declined/moon'), 'request-declined/policy')
  assert.equal(read('constructor'), 'server-error')
  assert.equal(refusalOf({ detail: 'no' }), undefined)
  assert.ok(!isRefusal({ app: 'hello' }))
  assert.ok(!isRefusal(null))
})

test('one value has one signed text, as RFC 8785 has it', () => {
  const value: Json = { b: [1, true, null, -0], a: 'é"\u0007', '€': {}, aa: 'x', A: 9_007_199_254_740_991 }
  assert.equal(canonicalText(value), '{"A":9007199254740991,"a":"é\\"\\u0007","aa":"x","b":[1,true,null,0],"€":{}}')
  const nested = Array.from({ length: 40 }).reduce<Json>((inner) => [inner], null)
  for (const wrong of [1.5, 2 ** 53, Number.NaN, '\ud800', nested]) {
    assert.throws(() => canonicalText(wrong), Malformed)
  }
})

const receipt: Receipt = {
  format: 'perennial-receipt/1',
  id: '01938f5e-7a00-7000-8000-000000000000',
  node: node.did,
  ledger: 'test',
  asset: 'TEST',
  payer: 'app/hello/purse',
  service: 'hosting',
  from: new Date('2026-11-21T07:00:00Z'),
  to: new Date('2026-11-21T08:00:00Z'),
  priceBook: '00'.repeat(32),
  lines: [
    { meter: 'cpu', used: 3_600_000_000_000n, cost: 27_777n },
    { meter: 'disk', used: 10n ** 15n, cost: 57n },
  ],
  total: 27_834n,
  transfers: ['01938f5e-7a00-7000-8000-000000000001'],
}

test('a receipt can be kept as text and checked by anyone, later', async () => {
  const signed = await signReceipt(receipt, node)
  const kept = parseReceipt(formatReceipt(signed))
  assert.deepEqual(kept.receipt, receipt)
  assert.equal(await verifyReceipt(kept), true)
  assert.match(receiptHash(receipt), /^[0-9a-f]{64}$/)
})

test('a receipt that was changed, or does not add up, is worth nothing', async () => {
  const signed = await signReceipt(receipt, node)
  const changes: Partial<Receipt>[] = [
    { total: 1n },
    { payer: 'app/other/purse' },
    { node: caller.did },
    { lines: [{ meter: 'cpu', used: 1n, cost: 27_834n }] },
    { transfers: [] },
  ]
  for (const change of changes) {
    assert.equal(await verifyReceipt({ ...signed, receipt: { ...receipt, ...change } }), false)
  }
  await assert.rejects(signReceipt({ ...receipt, total: 1n }, node), /lines sum to 27834/)
  await assert.rejects(signReceipt(receipt, caller), /signed by the node that it names/)
  for (const text of ['', '{}', 'x'.repeat(70_000), formatReceipt(signed).replace('{', '{"more":1,')]) {
    assert.throws(() => parseReceipt(text), Malformed)
  }
})
