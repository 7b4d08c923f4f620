import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  contentDigest,
  costOf,
  DEFAULT_PRICE_BOOK,
  isRefusal,
  parseReceipt,
  pathOf,
  signRequest,
  utf8,
  verifyReceipt,
  verifyResponse,
  type Key,
  type Method,
} from '@perennial/protocol'
import { accountOf } from '../metering/index.ts'
import { AFTER_IT, TO_THE_HANDLER } from './pipeline.ts'
import { forgetOldCalls } from './queries.ts'
import { burn, close, echo, look, ORIGIN, PER_CORE_SECOND, visitor, withRpc, type TestRpc } from './testing.ts'

const CORE_HOUR = costOf(DEFAULT_PRICE_BOOK, { cpu: 3600n * PER_CORE_SECOND })

function posted(method: Method, input: unknown, headers: Record<string, string> = {}): Request {
  return new Request(`${ORIGIN}${pathOf(method)}`, {
    method: 'POST',
    body: JSON.stringify(input),
    headers: { 'content-type': 'application/json', ...headers },
  })
}

/** A signed request that can be sent again, changed or late. */
async function signedRequest(
  t: TestRpc,
  method: Method,
  input: unknown,
  { key, nonce, headers = {} }: { key: Key; nonce?: string; headers?: Record<string, string> },
): Promise<Request> {
  const body = utf8(JSON.stringify(input))
  const head = {
    method: 'POST',
    url: `${ORIGIN}${pathOf(method)}`,
    headers: new Headers({ 'content-type': 'application/json', ...headers }),
    body,
  }
  await signRequest(head, { key, nonce, nowSeconds: Math.floor(t.clock.now().getTime() / 1000) })
  return new Request(head.url, { method: 'POST', headers: head.headers, body })
}

const status = (response: Response) => [response.status, response.headers.get('oc-status')]

test('every call passes the stations in the order of the house', () => {
  assert.deepEqual(
    [...TO_THE_HANDLER, ...AFTER_IT].map(({ name }) => name),
    ['receive', 'who', 'may', 'recall', 'quote', 'hold', 'doIt', 'meter', 'charge', 'receipt', 'record'],
  )
})

test('a signed call is answered, and the answer is signed over the very request', () =>
  withRpc(async (t) => {
    const key = await t.key()
    const client = t.client(key)
    assert.deepEqual(await client.call(echo, { text: 'hello' }), { text: 'hello', times: 1 })
    assert.equal(client.nodeDid, t.house.identity.node.did)
    const request = posted(look, { text: 'a' })
    const response = await t.send(request.clone())
    const body = new Uint8Array(await response.arrayBuffer())
    const check = await verifyResponse(
      { status: response.status, headers: response.headers, body },
      { request: { method: 'POST', url: request.url, headers: request.headers } },
    )
    assert.equal(check.status, 'valid')
    const other = await verifyResponse(
      { status: response.status, headers: response.headers, body },
      { request: { method: 'POST', url: `${ORIGIN}/oc/test/echo`, headers: request.headers } },
    )
    assert.equal(other.status, 'invalid')
  }))

test('a call that costs something holds the most it can cost, charges what it used, and gives a receipt', () =>
  withRpc(async (t) => {
    const key = await t.key()
    await t.fund(key.did, 2n * CORE_HOUR)
    const nonce = `${t.house.identity.nonces.issue(key.did)}:0`
    const response = await t.send(await signedRequest(t, burn, { seconds: 3600, used: 900 }, { key, nonce }))
    assert.deepEqual(status(response), [200, 'ok'])
    const cost = CORE_HOUR / 4n
    const account = (await t.ledger.account(`caller/${key.did}`))!
    assert.deepEqual([account.balance, account.held], [2n * CORE_HOUR - cost, 0n])
    assert.equal((await t.ledger.account(accountOf.provider(t.house.identity.node.did)))!.balance, cost)
    const receipt = parseReceipt(Buffer.from(response.headers.get('oc-receipt')!, 'base64url').toString())
    assert.ok(await verifyReceipt(receipt))
    assert.deepEqual(
      [receipt.receipt.total, receipt.receipt.payer, receipt.receipt.service],
      [cost, `caller/${key.did}`, 'test.burn'],
    )
    assert.deepEqual(await t.ledger.verify(), [])
    const [row] = await t.house.database.query<{ price: bigint; status: string }>(
      'select price, status from call where method = $1',
      ['test.burn'],
    )
    assert.deepEqual(row, { price: cost, status: 'ok' })
  }))

test('more used than quoted costs the quote and no more', () =>
  withRpc(async (t) => {
    const key = await t.key()
    await t.fund(key.did, 2n * CORE_HOUR)
    await t.client(key).call(burn, { seconds: 3600, used: 36_000 })
    const { balance } = (await t.ledger.account(`caller/${key.did}`))!
    assert.ok(balance >= CORE_HOUR - 1n && balance <= CORE_HOUR, `${balance}`)
  }))

test('who cannot pay is told how much it takes, and nothing is done', () =>
  withRpc(async (t) => {
    const key = await t.key()
    await t.fund(key.did, CORE_HOUR / 2n)
    const answer = await t.client(key).call(burn, { seconds: 3600, used: 1 })
    assert.ok(isRefusal(answer))
    assert.equal(answer.refusal, 'request-declined/payment-required')
    assert.ok(answer.minimum! >= CORE_HOUR)
    assert.equal((await t.ledger.account(`caller/${key.did}`))!.balance, CORE_HOUR / 2n)
  }))

for (const fail of ['error', 'refusal'] as const)
  test(`a call that ends in ${fail === 'error' ? 'an error' : 'a refusal'} costs nothing, whatever it used`, () =>
    withRpc(async (t) => {
      const key = await t.key()
      await t.fund(key.did, CORE_HOUR)
      const answer = await t.client(key).call(burn, { seconds: 3000, used: 3000, fail })
      assert.ok(isRefusal(answer))
      assert.equal(answer.refusal, fail === 'error' ? 'server-error' : 'client-error/conflict')
      assert.ok(!answer.sentence.includes('it broke'), 'what broke is for the operator')
      const { balance, held } = (await t.ledger.account(`caller/${key.did}`))!
      assert.deepEqual([balance, held], [CORE_HOUR, 0n])
    }))

test('a call sent twice on the wire is done once: the second is asked for a fresh nonce', () =>
  withRpc(async (t) => {
    const key = await t.key()
    const request = await signedRequest(
      t,
      echo,
      { text: 'pay 5' },
      { key, nonce: `${t.house.identity.nonces.issue(key.did)}:0` },
    )
    assert.deepEqual(status(await t.send(request.clone())), [200, 'ok'])
    const replay = await t.send(request)
    assert.deepEqual(status(replay), [401, 'request-declined/refresh-nonce'])
    assert.match(replay.headers.get('accept-signature')!, /nonce="[\w-]{11}\.[\w-]{22}"/)
    assert.equal(t.done.echo, 1)
  }))

test('a forged, changed or misdirected call is refused before anything is done', () =>
  withRpc(async (t) => {
    const key = await t.key()
    const nonce = () => `${t.house.identity.nonces.issue(key.did)}:0`
    const good = await signedRequest(t, echo, { text: 'a' }, { key, nonce: nonce() })
    const cases: [string, Request, number, string][] = [
      [
        'another body',
        new Request(good.url, { method: 'POST', headers: good.headers, body: '{"text":"b"}' }),
        422,
        'client-error/digest-mismatch',
      ],
      [
        'another body, its digest set right',
        withHeader(
          new Request(good.url, { method: 'POST', headers: good.headers, body: '{"text":"b"}' }),
          'content-digest',
          contentDigest(utf8('{"text":"b"}')),
        ),
        401,
        'client-error/invalid-signature',
      ],
      [
        'another method',
        new Request(`${ORIGIN}/oc/test/close`, { method: 'POST', headers: good.headers, body: '{"text":"a"}' }),
        422,
        'client-error/invalid-arguments',
      ],
      [
        'another name',
        withHeader(good.clone(), 'oc-id', `"${(await t.key()).did}"`),
        401,
        'client-error/invalid-signature',
      ],
      [
        'a signature cut off',
        withHeader(good.clone(), 'signature', 'oc=:AAAA:'),
        401,
        'client-error/invalid-signature',
      ],
      ['no nonce', await signedRequest(t, echo, { text: 'a' }, { key }), 401, 'request-declined/refresh-nonce'],
      ['not signed', posted(echo, { text: 'a' }), 401, 'client-error/invalid-signature'],
    ]
    for (const [name, request, code, oc] of cases) assert.deepEqual(status(await t.send(request)), [code, oc], name)
    const elsewhere = await signedRequest(t, echo, { text: 'a' }, { key, nonce: nonce() })
    const moved = await t.rpc.handle({
      request: elsewhere,
      url: new URL('http://other.example/oc/test/echo'),
      address: '127.0.0.1',
    })
    assert.deepEqual(status(moved!), [401, 'client-error/invalid-signature'])
    assert.equal(t.done.echo, 0)
    // The control: the same call, whole, is done.
    assert.deepEqual(status(await t.send(good)), [200, 'ok'])
  }))

function withHeader(request: Request, name: string, value: string): Request {
  const headers = new Headers(request.headers)
  headers.set(name, value)
  return new Request(request, { headers })
}

test('what is no call is said so, with its status', () =>
  withRpc(async (t) => {
    const cases: [Request, number, string][] = [
      [new Request(`${ORIGIN}/oc/nothing/here`), 404, 'client-error/service-unsupported'],
      [
        new Request(`${ORIGIN}/oc/test/nothing`, { method: 'POST', body: '{}' }),
        404,
        'client-error/method-unsupported',
      ],
      [new Request(`${ORIGIN}/oc/test/echo?text=a`), 405, 'client-error/wrong-verb'],
      [new Request(`${ORIGIN}/oc/test/look`, { method: 'DELETE' }), 405, 'client-error/wrong-verb'],
      [posted(look, 'x'), 422, 'client-error/invalid-arguments'],
      [posted(look, { text: 'a', more: 1 }), 422, 'client-error/invalid-arguments'],
      [
        new Request(`${ORIGIN}/oc/test/look`, {
          method: 'POST',
          body: '{',
          headers: { 'content-type': 'application/json' },
        }),
        400,
        'client-error/bad-request',
      ],
      [
        new Request(`${ORIGIN}/oc/test/look`, {
          method: 'POST',
          body: '{"text":"a"}',
          headers: { 'content-type': 'text/plain' },
        }),
        400,
        'client-error/bad-request',
      ],
      [new Request(`${ORIGIN}/oc/test/look?text=a&text=b`), 400, 'client-error/bad-request'],
      [posted(look, { text: 'x'.repeat(1_048_577) }), 413, 'client-error/too-large'],
      [posted(look, { text: 'a' }, { 'content-digest': 'sha-256=:AAAA:' }), 422, 'client-error/digest-mismatch'],
    ]
    for (const [request, code, oc] of cases) {
      const response = await t.send(request)
      assert.deepEqual(status(response), [code, oc], request.url)
      assert.equal(response.headers.get('content-type'), 'application/problem+json')
      assert.ok(response.headers.get('signature'), 'even a no is signed')
    }
    assert.deepEqual(status(await t.send(new Request(`${ORIGIN}/oc/test/look?text=a`))), [200, 'ok'])
  }))

test('a key asked again gets the answer it got, done once; another input under it is refused', () =>
  withRpc(async (t) => {
    const key = await t.key()
    const token = t.house.identity.nonces.issue(key.did)
    let n = 0
    const send = async (text: string, idempotency: string) =>
      t.send(
        await signedRequest(
          t,
          echo,
          { text },
          { key, nonce: `${token}:${n++}`, headers: { 'idempotency-key': idempotency } },
        ),
      )
    const first = await (await send('a', 'k1')).json()
    assert.deepEqual(await (await send('a', 'k1')).json(), first)
    assert.deepEqual(status(await send('b', 'k1')), [409, 'client-error/idempotency'])
    assert.equal(t.done.echo, 1)
    await send('a', 'k2')
    assert.equal(t.done.echo, 2)
    const answers = await Promise.all(Array.from({ length: 8 }, () => send('c', 'k3')))
    assert.equal(t.done.echo, 3, 'at the same moment too')
    assert.ok(answers.every((one) => one.status === 200 || one.headers.get('oc-status') === 'client-error/conflict'))
  }))

test('a call cut off by a kill is done again under its key, by the next process alone', () =>
  withRpc(async (t) => {
    const key = await t.key()
    const token = t.house.identity.nonces.issue(key.did)
    let n = 0
    const send = async () =>
      t.send(
        await signedRequest(
          t,
          echo,
          { text: 'a' },
          { key, nonce: `${token}:${n++}`, headers: { 'idempotency-key': 'k' } },
        ),
      )
    await send()
    await t.house.database.query(`update call set status = 'pending', answer = null`)
    assert.deepEqual(status(await send()), [409, 'client-error/conflict'])
    await t.house.database.query(`update call set boot = gen_random_uuid()`)
    assert.deepEqual(status(await send()), [200, 'ok'])
    assert.equal(t.done.echo, 2)
  }))

test('only the key that deployed an app, or its token, is its admin', () =>
  withRpc(async (t) => {
    const [admin, stranger] = [await t.key(), await t.key()]
    const app = 'hello--octo'
    const make = (slug: string) =>
      t.house.database.transaction((tx) =>
        t.apps.create(
          tx,
          { slug, url: `https://forge.example/${slug}`, forge: 'forge.example', owner: 'octo', name: slug },
          { by: admin.did },
        ),
      )
    const [{ id }] = [await make(app), await make('other--octo')]
    assert.deepEqual(await t.client(admin).call(close, { app }), {})
    const no = await t.client(stranger).call(close, { app })
    assert.ok(isRefusal(no) && no.refusal === 'access-denied')
    const token = t.house.identity.adminToken(id)
    assert.deepEqual(status(await t.send(posted(close, { app }, { 'oc-admin-token': token }))), [200, 'ok'])
    assert.deepEqual(status(await t.send(posted(close, { app: 'other--octo' }, { 'oc-admin-token': token }))), [
      403,
      'access-denied',
    ])
    assert.deepEqual(status(await t.send(posted(close, { app: id }, { 'oc-admin-token': token }))), [200, 'ok'])
    assert.deepEqual(status(await t.send(posted(close, { app: 'nobodys--app' }, { 'oc-admin-token': token }))), [
      403,
      'access-denied',
    ])
    assert.deepEqual(status(await t.send(posted(close, { app }))), [403, 'access-denied'])
  }))

test('our own pages pass the same stations, as the visitor whose session it is', () =>
  withRpc(async (t) => {
    const { did } = await t.house.identity.sessions.create()
    assert.deepEqual(await t.rpc.call(echo, { text: 'a' }, visitor(did)), { text: 'a', times: 1 })
    const no = await t.rpc.call(echo, { text: 'a' }, visitor(null))
    assert.ok(isRefusal(no))
    const wrong = await t.rpc.call(echo, { text: 'x'.repeat(101) }, visitor(did))
    assert.ok(isRefusal(wrong) && wrong.refusal === 'client-error/invalid-arguments')
    assert.equal((await t.house.database.query('select 1 from call')).length, 1)
  }))

test('an address that asks too much waits; others do not', () =>
  withRpc(async (t) => {
    const ask = (address: string) => t.send(posted(look, { text: 'a' }), address)
    for (let i = 0; i < 300; i++) assert.equal((await ask('203.0.113.7')).status, 200)
    const late = await ask('203.0.113.7')
    assert.deepEqual(status(late), [429, 'request-declined/rate-limit'])
    assert.equal(late.headers.get('retry-after'), '1')
    assert.equal((await ask('203.0.113.8')).status, 200)
  }))

test('a flood of wrong calls fills no table, and looking leaves no trace', () =>
  withRpc(async (t) => {
    for (let i = 0; i < 20; i++) {
      await t.send(posted(echo, { text: 'a' }))
      await t.send(posted(look, { text: 'a' }))
    }
    assert.equal((await t.house.database.query('select 1 from call')).length, 0)
  }))

test('calls are kept for a quarter, and in a flood of them for as long as there is room', () =>
  withRpc(async (t) => {
    const { database, clock } = t.house
    const key = await t.key()
    for (let turn = 0; turn < 5; turn++) {
      await t.client(key).call(echo, { text: String(turn) })
      await database.query('update call set at = at - make_interval(secs => 1)')
    }
    const kept = async () => (await database.query('select from call')).length
    const all = await kept()
    await forgetOldCalls(database, clock.now())
    assert.equal(await kept(), all)
    await forgetOldCalls(database, clock.now(), 4)
    assert.equal(await kept(), 4)
    await forgetOldCalls(database, new Date(clock.now().getTime() + 91 * 86_400_000))
    assert.equal(await kept(), 0)
  }))
