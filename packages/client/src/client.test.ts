import {
  contentDigest,
  issueToken,
  keyFromSeed,
  methods,
  newSeed,
  problemOf,
  refuse,
  signResponse,
  utf8,
  verifyRequest,
  type Answer,
  type Key,
  type Refusal,
  type RequestCheck,
} from '@perennial/protocol'
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { openClient } from './client.ts'
import { BadAnswer, NodeUnreachable } from './errors.ts'

const ORIGIN = 'http://127.0.0.1:8080'
const NOW = 1_790_000_000
const QUOTED = {
  amount: '5000000',
  buysSeconds: 86_400,
  asset: 'TEST',
  parts: { commons: '250000', reserve: '0', purse: '4750000' },
  runway: { earliest: '2026-11-21T08:12:06.000Z', latest: null, estimate: true },
  minimum: '100000',
}

interface Asked {
  readonly url: string
  readonly check: RequestCheck
  readonly body: string
}

/** A node as a function: checks the signature, answers what the test says, signs the answer. */
function nodeThat(
  answers: (asked: Asked, count: number) => { status: number; headers: Record<string, string>; body: unknown },
) {
  const asked: Asked[] = []
  const fetchWith = (key: Key, alter: (answer: Answer) => Answer = (answer) => answer): typeof globalThis.fetch => {
    return async (input, init) => {
      const { url, method, headers } = new Request(input, init)
      const body = new Uint8Array(await new Response(init?.body ?? null).arrayBuffer())
      const request = { method, url, headers, body }
      const check = await verifyRequest(request, { origins: [ORIGIN], nowSeconds: NOW })
      asked.push({ url, check, body: new TextDecoder().decode(body) })
      const said = answers(asked.at(-1)!, asked.length)
      const answer = {
        status: said.status,
        headers: new Headers({ 'content-type': 'application/json', ...said.headers }),
        body: utf8(JSON.stringify(said.body)),
      }
      await signResponse(answer, { request, key, nowSeconds: NOW })
      const sent = alter(answer)
      return new Response(Uint8Array.from(sent.body), { status: sent.status, headers: sent.headers })
    }
  }
  return { asked, fetchWith }
}

const ok = { status: 200, headers: { 'oc-status': 'ok' }, body: QUOTED }
const quote = { app: 'hello--octo', amount: 5_000_000n }
const newKey = () => keyFromSeed(newSeed())
const refused = (refusal: Refusal, headers: Record<string, string> = {}) => {
  const body = problemOf(refusal)
  return { status: body.status, headers: { 'oc-status': refusal.refusal, ...headers }, body }
}

test('a call is signed, and its answer comes back typed: amounts as bigint, moments as Date', async () => {
  const node = nodeThat(() => ok)
  const key = await newKey()
  const client = openClient({ node: ORIGIN, key, fetch: node.fetchWith(await newKey()), nowMs: () => NOW * 1000 })
  const answer = await client.call(methods.funding.quote, quote)
  assert.ok('parts' in answer)
  assert.equal(answer.parts.purse, 4_750_000n)
  assert.deepEqual(answer.runway.earliest, new Date('2026-11-21T08:12:06Z'))
  assert.equal(node.asked[0]!.url, `${ORIGIN}/oc/funding/quote`)
  assert.deepEqual(JSON.parse(node.asked[0]!.body), { app: 'hello--octo', amount: '5000000' })
  assert.ok(node.asked[0]!.check.status === 'valid' && node.asked[0]!.check.did === key.did)
})

test('without a key nothing is signed', async () => {
  const node = nodeThat(() => ok)
  const client = openClient({ node: ORIGIN, fetch: node.fetchWith(await newKey()) })
  await client.call(methods.funding.quote, quote)
  assert.equal(node.asked[0]!.check.status, 'unsigned')
})

test('a stale nonce costs one retry, and later calls count behind the token that was offered', async () => {
  const key = await newKey()
  const mac = (message: Uint8Array) => createHmac('sha256', 'secret').update(message).digest()
  const token = issueToken({ did: key.did, expiresAt: NOW + 600, serial: 1, mac })
  const refresh = refuse('request-declined/refresh-nonce', 'A fresh nonce is needed.')
  const node = nodeThat((_, count) => (count === 1 ? refused(refresh, { 'oc-nonce': token }) : ok))
  const client = openClient({ node: ORIGIN, key, fetch: node.fetchWith(await newKey()), nowMs: () => NOW * 1000 })
  await client.call(methods.funding.quote, quote)
  await client.call(methods.funding.quote, quote)
  const nonces = node.asked.map(({ check }) => (check.status === 'valid' ? check.nonce : 'not valid'))
  assert.deepEqual(nonces, [undefined, `${token}:0`, `${token}:1`])
})

test('a node that never likes a nonce is asked twice, not for ever', async () => {
  const refresh = refuse('request-declined/refresh-nonce', 'A fresh nonce is needed.')
  const node = nodeThat(() => refused(refresh))
  const client = openClient({ node: ORIGIN, key: await newKey(), fetch: node.fetchWith(await newKey()) })
  assert.deepEqual(await client.call(methods.funding.quote, quote), refresh)
  assert.equal(node.asked.length, 2)
})

test('a refusal comes back as a value, with what to do about it', async () => {
  const low = refuse('request-declined/payment/too-low', 'Nothing was charged.', 'Pay 0.10 or more.', {
    minimum: 100_000n,
  })
  const node = nodeThat(() => refused(low))
  const client = openClient({ node: ORIGIN, fetch: node.fetchWith(await newKey()) })
  assert.deepEqual(await client.call(methods.funding.quote, quote), low)
})

test('an answer that was changed on its way is thrown away', async () => {
  const node = nodeThat(() => ok)
  const changed = utf8(JSON.stringify({ ...QUOTED, minimum: '1' }))
  const alterations: Record<string, (answer: Answer) => Answer> = {
    body: (answer) => ({ ...answer, body: changed }),
    'body and digest': (answer) => {
      answer.headers.set('content-digest', contentDigest(changed))
      return { ...answer, body: changed }
    },
    status: (answer) => ({ ...answer, status: 500 }),
    'oc-status': (answer) => {
      answer.headers.set('oc-status', 'server-error')
      return answer
    },
    signature: (answer) => {
      answer.headers.delete('signature')
      return answer
    },
  }
  for (const [what, alter] of Object.entries(alterations)) {
    const client = openClient({ node: ORIGIN, fetch: node.fetchWith(await newKey(), alter) })
    await assert.rejects(client.call(methods.funding.quote, quote), BadAnswer, what)
  }
})

test('another node that answers in place of the first is noticed', async () => {
  const node = nodeThat(() => ok)
  const first = node.fetchWith(await newKey())
  const second = node.fetchWith(await newKey())
  let calls = 0
  const client = openClient({ node: ORIGIN, fetch: (...args) => (calls++ === 0 ? first : second)(...args) })
  await client.call(methods.funding.quote, quote)
  await assert.rejects(client.call(methods.funding.quote, quote), /now answers as/)
})

test('an answer to one request is none to another', async () => {
  const nodeKey = await newKey()
  const node = nodeThat(() => ok)
  let recorded: Response | undefined
  const replaying: typeof globalThis.fetch = async (...args) => {
    recorded ??= await node.fetchWith(nodeKey)(...args)
    return recorded.clone()
  }
  const client = openClient({ node: ORIGIN, fetch: replaying })
  await client.call(methods.funding.quote, quote)
  await assert.rejects(client.call(methods.funding.quote, { ...quote, amount: 6_000_000n }), BadAnswer)
})

test('a node that is not there is named, and so is the next step', async () => {
  const client = openClient({ node: 'http://127.0.0.1:1' })
  await assert.rejects(client.call(methods.node.info, {}), (error) => {
    return error instanceof NodeUnreachable && /127\.0\.0\.1:1: is the node running there/.test(error.message)
  })
})
