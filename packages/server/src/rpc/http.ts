/**
 * The wire: `POST /oc/<service>/<name>`, GET too where nothing is changed, and what tells strangers about it.
 *
 *   /.well-known/opencloud   who the node is and which methods it has, signed
 *   /openapi.json            the same for tools we did not write
 */
import { newId, openApi, refuse, type Method, type RequestHead, type Refusal } from '@perennial/protocol'
import { answer, signed } from './answer.ts'
import type { Bound, Caller } from './call.ts'
import type { StationHouse, Wire } from './passage.ts'
import { pass } from './pipeline.ts'
import { MAX_BODY_BYTES } from './stations/receive.ts'
import { stream } from './stream.ts'

export const VERSION = '0.1.0'

export interface Arrived {
  readonly request: Request
  /** As the caller sent it: with the scheme and host that they used. */
  readonly url: URL
  /** Of the connection. */
  readonly address: string
}

/** Answers what is a call or about calls; null for everything else. */
export async function handle(
  arrived: Arrived,
  implementations: ReadonlyMap<string, Bound>,
  house: StationHouse,
): Promise<Response | null> {
  const { pathname } = arrived.url
  if (pathname === '/openapi.json')
    return json(openApi(methodsOf(implementations), { origin: house.origins[0]!, version: VERSION }))
  if (pathname === '/.well-known/opencloud') return wellKnown(arrived, implementations, house)
  if (!pathname.startsWith('/oc/')) return null
  const name = pathname.slice('/oc/'.length).replace('/', '.')
  const implementation = implementations.get(name)
  const wire = await read(arrived)
  if (!implementation)
    return signed(
      { refusal: unknown(name, implementations), id: newId(), headers: new Headers(), request: wire.request },
      house,
    )
  const caller: Caller = {
    did: null,
    via: 'none',
    address: arrived.address,
    adminToken: arrived.request.headers.get('oc-admin-token') ?? undefined,
  }
  if (wantsStream(arrived.request) && implementation.method.safe)
    return stream({ implementation, wire, caller, signal: arrived.request.signal }, house)
  return answer(await pass({ implementation, sent: undefined, caller, wire }, house), house)
}

async function read({ request, url }: Arrived): Promise<Wire> {
  const head: RequestHead = { method: request.method, url: url.href, headers: request.headers }
  const chunks: Uint8Array[] = []
  let size = 0
  if (request.body) {
    for await (const chunk of request.body) {
      size += chunk.length
      // The rest stays unread: the connection closes with the answer.
      if (size > MAX_BODY_BYTES) return { request: head, body: new Uint8Array(), overlong: true }
      chunks.push(chunk)
    }
  }
  return { request: head, body: new Uint8Array(Buffer.concat(chunks)), overlong: false }
}

function wantsStream({ method, headers }: Request): boolean {
  return method === 'GET' && (headers.get('accept') ?? '').includes('text/event-stream')
}

function unknown(name: string, implementations: ReadonlyMap<string, unknown>): Refusal {
  const service = name.split('.')[0]!
  const known = [...implementations.keys()].some((one) => one.startsWith(`${service}.`))
  return known
    ? refuse(
        'client-error/method-unsupported',
        `The service ${service.slice(0, 40)} has no such method here.`,
        'See /openapi.json.',
      )
    : refuse('client-error/service-unsupported', 'There is no such service here.', 'See /openapi.json.')
}

function wellKnown(
  { request, url }: Arrived,
  implementations: ReadonlyMap<string, Bound>,
  house: StationHouse,
): Promise<Response> {
  const { identity, origins, ledgerId, priceBook } = house
  const output = {
    versions: ['opencloud/1'],
    node: identity.node.did,
    origin: origins[0],
    version: VERSION,
    ledgers: [{ id: ledgerId, asset: priceBook.asset }],
    methods: methodsOf(implementations).map(({ service, name, summary, safe, policy, meters }) => ({
      name: `${service}.${name}`,
      summary,
      safe,
      policy,
      meters,
    })),
    openapi: '/openapi.json',
  }
  return signed(
    {
      refusal: null,
      output,
      id: newId(),
      headers: new Headers(),
      request: { method: request.method, url: url.href, headers: request.headers },
    },
    house,
  )
}

function methodsOf(implementations: ReadonlyMap<string, Bound>): Method[] {
  return [...implementations.values()].map(({ method }) => method)
}

function json(document: unknown): Response {
  return new Response(JSON.stringify(document), {
    headers: {
      'content-type': 'application/json',
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
    },
  })
}
