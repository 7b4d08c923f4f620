/**
 * Signed requests: the strict profile of RFC 9421 that spec/call.md describes.
 *
 *   OC-Id: "did:key:z6Mk…"
 *   Content-Digest: sha-256=:…:
 *   Signature-Input: oc=("@method" "@target-uri" "content-digest" "content-type" "oc-id");created=1790000000;
 *     expires=1790000060;nonce="<token>:7";keyid="did:key:z6Mk…";tag="opencloud/1"
 *   Signature: oc=:…:
 *
 * One label, `oc`. Whatever could be read in two ways is refused: a signature is power over money.
 */
import { digestMatches, contentDigest } from './digest.ts'
import { verifySignature, type Key } from './keys.ts'
import { Malformed } from './malformed.ts'
import { signatureBase, type RequestHead } from './signature-base.ts'
import {
  formatBytes,
  formatItem,
  formatMember,
  formatString,
  parseDictionary,
  parseList,
  type InnerList,
  type Item,
  type Value,
} from './structured-fields.ts'
import { utf8 } from './bytes.ts'

export const REQUEST_TAG = 'opencloud/1'
export const MAX_LIFE_SECONDS = 300

const LABEL = 'oc'
const MAX_SIGNATURE_HEADERS = 8_192
const MAX_CLOCK_SKEW_SECONDS = 30
const SIGN_LIFE_SECONDS = 60
const ALWAYS_COVERED = ['@method', '@target-uri', 'oc-id']
/** Covered whenever they are sent, in this order between `@target-uri` and the end. */
const COVERED_IF_SENT = [
  'content-digest',
  'content-type',
  'oc-id',
  'payment-signature',
  'oc-credential',
  'oc-expect',
  'idempotency-key',
]
const PARAMETERS = new Set(['created', 'expires', 'nonce', 'keyid', 'tag', 'alg'])

export interface RequestToSign extends RequestHead {
  readonly body?: Uint8Array | undefined
}

/** Adds OC-Id, Content-Digest, Signature-Input and Signature to `request.headers`. */
export async function signRequest(
  request: RequestToSign,
  by: { readonly key: Key; readonly nonce?: string | undefined; readonly nowSeconds: number },
): Promise<void> {
  const { headers, body } = request
  headers.set('oc-id', formatString(by.key.did))
  if (body) headers.set('content-digest', contentDigest(body))
  const names = ['@method', '@target-uri', ...COVERED_IF_SENT.filter((name) => headers.has(name))]
  const covered: InnerList = {
    kind: 'list',
    items: names.map((name) => component(name)),
    params: new Map<string, Value>([
      ['created', { kind: 'integer', value: by.nowSeconds }],
      ['expires', { kind: 'integer', value: by.nowSeconds + SIGN_LIFE_SECONDS }],
      ...(by.nonce === undefined ? [] : [['nonce', { kind: 'string', value: by.nonce }] as const]),
      ['keyid', { kind: 'string', value: by.key.did }],
      ['tag', { kind: 'string', value: REQUEST_TAG }],
    ]),
  }
  await attachSignature({ headers, covered, base: signatureBase({ request }, covered), key: by.key })
}

export type RequestCheck =
  | { readonly status: 'unsigned' }
  | { readonly status: 'invalid'; readonly reason: string }
  | { readonly status: 'valid'; readonly did: string; readonly nonce: string | undefined; readonly expires: number }

/**
 * Checks all but the nonce, which needs the node's memory. `origins` are the addresses under which this node is
 * called: a signature made for another host is worth nothing here.
 */
export async function verifyRequest(
  request: RequestToSign,
  by: { readonly origins: readonly string[]; readonly nowSeconds: number },
): Promise<RequestCheck> {
  if (!request.headers.has('signature') && !request.headers.has('signature-input')) return { status: 'unsigned' }
  try {
    return await check(request, by)
  } catch (error) {
    if (error instanceof Malformed) return { status: 'invalid', reason: error.message }
    throw error
  }
}

async function check(
  request: RequestToSign,
  by: { readonly origins: readonly string[]; readonly nowSeconds: number },
): Promise<RequestCheck> {
  const { covered, signature } = readSignature(request.headers)
  const { did, nonce, expires } = readParameters(covered, by.nowSeconds)
  checkCoverage(covered, request)
  checkIdentity(request.headers, did)
  if (!URL.canParse(request.url)) throw new Malformed('the target is not a URL')
  const origin = new URL(request.url).origin
  if (!by.origins.includes(origin)) throw new Malformed(`it was signed for ${origin}, which is not this node`)
  const message = utf8(signatureBase({ request }, covered))
  if (!(await verifySignature({ did, message, signature })))
    throw new Malformed('the signature does not fit the request')
  return { status: 'valid', did, nonce, expires }
}

export interface ReadSignature {
  readonly covered: InnerList
  readonly signature: Uint8Array
}

/** The one label of both headers; used for requests and responses. */
export function readSignature(headers: Headers): ReadSignature {
  const inputText = headers.get('signature-input')
  const signatureText = headers.get('signature')
  if (inputText === null) throw new Malformed('Signature without Signature-Input')
  if (signatureText === null) throw new Malformed('Signature-Input without Signature')
  if (inputText.length + signatureText.length > MAX_SIGNATURE_HEADERS) {
    throw new Malformed(`signature headers are read up to ${MAX_SIGNATURE_HEADERS} characters`)
  }
  const inputs = parseDictionary(inputText)
  const signatures = parseDictionary(signatureText)
  const covered = inputs.get(LABEL)
  const signature = signatures.get(LABEL)
  if (inputs.size !== 1 || signatures.size !== 1 || !covered || !signature) {
    throw new Malformed(`exactly one signature is read, with the label ${LABEL}`)
  }
  if (covered.kind !== 'list') throw new Malformed('Signature-Input lists what is covered, in parentheses')
  if (signature.kind !== 'bytes' || signature.params.size > 0) throw new Malformed('Signature is bytes between colons')
  return { covered, signature: signature.value }
}

function readParameters(covered: InnerList, now: number): { did: string; nonce: string | undefined; expires: number } {
  for (const name of covered.params.keys()) {
    if (!PARAMETERS.has(name)) throw new Malformed(`the signature parameter ${name} is not known`)
  }
  const created = parameter(covered, 'created', 'integer')
  const expires = parameter(covered, 'expires', 'integer')
  const did = parameter(covered, 'keyid', 'string')
  const tag = parameter(covered, 'tag', 'string')
  const nonce = covered.params.has('nonce') ? parameter(covered, 'nonce', 'string') : undefined
  if (tag !== REQUEST_TAG) throw new Malformed(`the signature's tag is ${REQUEST_TAG}`)
  if (covered.params.has('alg') && parameter(covered, 'alg', 'string') !== 'ed25519') {
    throw new Malformed('alg is ed25519, as the key says')
  }
  if (created > now + MAX_CLOCK_SKEW_SECONDS)
    throw new Malformed('the signature was made in the future: check the clock')
  if (expires <= created || expires - created > MAX_LIFE_SECONDS) {
    throw new Malformed(`a signature lives for 1 to ${MAX_LIFE_SECONDS} seconds`)
  }
  if (expires <= now) throw new Malformed('the signature has expired: sign again')
  return { did, nonce, expires }
}

function checkCoverage(covered: InnerList, request: RequestToSign): void {
  const { headers, body } = request
  const names = new Set(covered.items.filter(({ params }) => params.size === 0).map(({ value }) => value))
  if (body && body.length > 0 && !headers.has('content-digest')) throw new Malformed('the body has no Content-Digest')
  for (const name of [...ALWAYS_COVERED, ...COVERED_IF_SENT.filter((sent) => headers.has(sent))]) {
    if (!names.has(name)) throw new Malformed(`the signature does not cover ${name}`)
  }
  const digest = headers.get('content-digest')
  if (digest !== null && !digestMatches(digest, body ?? new Uint8Array())) {
    throw new Malformed('the body is not the one whose digest was signed')
  }
  // Two lines of one header arrive as one, joined by a comma: which of them a handler takes must not be a question.
  if (headers.get('content-type')?.includes(',')) throw new Malformed('Content-Type is given once')
}

/** OC-Id names whose request this is; with one label, that is the signing key. */
function checkIdentity(headers: Headers, did: string): void {
  const ids = parseList(headers.get('oc-id') ?? '')
  const [first] = ids
  if (ids.length !== 1 || first?.kind !== 'string' || first.value !== did) {
    throw new Malformed('OC-Id names the key that signed, and no other')
  }
}

type Kinds = { integer: number; string: string }

/** A parameter that must be there and be of this kind. */
export function parameter<Kind extends keyof Kinds>(covered: InnerList, name: string, kind: Kind): Kinds[Kind] {
  const value = covered.params.get(name)
  if (value?.kind !== kind) throw new Malformed(`the signature parameter ${name} must be given, as ${kind}`)
  return value.value as Kinds[Kind]
}

export function component(name: string, params: readonly (readonly [string, Value])[] = []): Item {
  return { kind: 'string', value: name, params: new Map(params) }
}

/** Signs the base and sets both headers. */
export async function attachSignature(on: {
  readonly headers: Headers
  readonly covered: InnerList
  readonly base: string
  readonly key: Key
}): Promise<void> {
  on.headers.set('signature-input', `${LABEL}=${formatMember(on.covered)}`)
  on.headers.set('signature', `${LABEL}=${formatBytes(await on.key.sign(utf8(on.base)))}`)
}

export function coveredNames(covered: InnerList): string[] {
  return covered.items.map(formatItem)
}
