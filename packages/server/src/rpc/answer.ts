/**
 * The answer as it travels: JSON of the output or a problem, OC-Status, and the node's signature over it and over the
 * request it answers. Such a pair is a receipt that can be shown to anyone.
 */
import {
  HTTP_STATUS,
  Malformed,
  PROBLEM_TYPE,
  problemOf,
  readSignature,
  signResponse,
  utf8,
  type Refusal,
  type RequestHead,
} from '@perennial/protocol'
import type { Passage, StationHouse } from './passage.ts'

export async function answer(passage: Passage, house: StationHouse): Promise<Response> {
  const { refusal, output, wire, id, caller, receipt } = passage
  const headers = new Headers()
  // Fresh with each answer, so that a client that goes on calling never has to ask for one.
  if (caller.via === 'signature' && caller.did !== null)
    headers.set('oc-nonce', house.identity.nonces.issue(caller.did))
  if (receipt !== null) headers.set('oc-receipt', Buffer.from(receipt).toString('base64url'))
  return signed({ refusal, output, id, headers, request: wire!.request }, house)
}

export interface Spoken {
  readonly refusal: Refusal | null
  readonly output?: unknown
  readonly id: string
  readonly headers: Headers
  readonly request: RequestHead
}

export async function signed(
  { refusal, output, id, headers, request }: Spoken,
  { identity, clock }: Pick<StationHouse, 'identity' | 'clock'>,
): Promise<Response> {
  const status = refusal ? HTTP_STATUS[refusal.refusal] : 200
  const body = utf8(JSON.stringify(refusal ? problemOf(refusal, id) : output))
  headers.set('content-type', refusal ? PROBLEM_TYPE : 'application/json')
  headers.set('oc-status', refusal?.refusal ?? 'ok')
  headers.set('oc-request', id)
  headers.set('cache-control', 'no-store')
  headers.set('x-content-type-options', 'nosniff')
  if (refusal?.retryAfterSeconds) headers.set('retry-after', String(refusal.retryAfterSeconds))
  if (status === 401) challenge(headers, refusal!)
  const by = { key: identity.node, nowSeconds: Math.floor(clock.now().getTime() / 1000) }
  await signResponse({ status, headers, body }, { ...by, request: signable(request) })
  return new Response(request.method === 'HEAD' ? null : body, { status, headers })
}

/** What a signature must look like; made for this by RFC 9421 §5. */
function challenge(headers: Headers, { refusal }: Refusal): void {
  const stale = refusal === 'request-declined/refresh-nonce'
  headers.set('www-authenticate', `OpenCloud error="${stale ? 'refresh-nonce' : 'invalid-signature'}"`)
  const token = headers.get('oc-nonce')
  if (stale && token !== null)
    headers.set(
      'accept-signature',
      `oc=("@method" "@target-uri" "content-digest" "content-type" "oc-id");created;expires;nonce="${token}";tag="opencloud/1"`,
    )
}

/** An answer covers the signature of its request. One that nobody can read is none: the answer is signed without it. */
function signable(request: RequestHead): RequestHead {
  if (!request.headers.has('signature') || hasReadableSignature(request.headers)) return request
  const headers = new Headers(request.headers)
  headers.delete('signature')
  return { ...request, headers }
}

function hasReadableSignature(headers: Headers): boolean {
  try {
    readSignature(headers)
    return true
  } catch (error) {
    if (error instanceof Malformed) return false
    throw error
  }
}
