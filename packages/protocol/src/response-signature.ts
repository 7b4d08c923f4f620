/**
 * Signed answers. The node's signature covers the answer and the very request it answers, signature included, so the
 * two together are a receipt that can be shown to anyone, and no answer can be passed off as that to another request.
 */
import { utf8 } from './bytes.ts'
import { contentDigest, digestMatches } from './digest.ts'
import { verifySignature, type Key } from './keys.ts'
import { Malformed } from './malformed.ts'
import { signatureBase, type RequestHead, type ResponseHead } from './signature-base.ts'
import { attachSignature, component, coveredNames, parameter, readSignature } from './signatures.ts'
import { formatItem, type InnerList, type Item, type Value } from './structured-fields.ts'

export const RESPONSE_TAG = 'opencloud-response/1'

const OF_RESPONSE = ['@status', 'content-digest', 'content-type', 'oc-status', 'oc-nonce', 'oc-request']
const YES: Value = { kind: 'boolean', value: true }

export interface Answer extends ResponseHead {
  readonly body: Uint8Array
}

/** Adds Content-Digest, Signature-Input and Signature to `answer.headers`, which must already hold OC-Status. */
export async function signResponse(
  answer: Answer,
  to: { readonly request: RequestHead; readonly key: Key; readonly nowSeconds: number },
): Promise<void> {
  answer.headers.set('content-digest', contentDigest(answer.body))
  const covered: InnerList = {
    kind: 'list',
    items: parts(to.request, answer),
    params: new Map<string, Value>([
      ['created', { kind: 'integer', value: to.nowSeconds }],
      ['keyid', { kind: 'string', value: to.key.did }],
      ['tag', { kind: 'string', value: RESPONSE_TAG }],
    ]),
  }
  const base = signatureBase({ request: to.request, response: answer }, covered)
  await attachSignature({ headers: answer.headers, covered, base, key: to.key })
}

export type ResponseCheck =
  | { readonly status: 'valid'; readonly did: string; readonly created: number }
  | { readonly status: 'invalid'; readonly reason: string }

/** Whether `answer` is what the node `did` says of itself answered to exactly this request. */
export async function verifyResponse(answer: Answer, to: { readonly request: RequestHead }): Promise<ResponseCheck> {
  try {
    const { covered, signature } = readSignature(answer.headers)
    const did = parameter(covered, 'keyid', 'string')
    const created = parameter(covered, 'created', 'integer')
    if (parameter(covered, 'tag', 'string') !== RESPONSE_TAG || covered.params.size !== 3) {
      throw new Malformed(`an answer is signed with created, keyid and the tag ${RESPONSE_TAG}`)
    }
    const names = new Set(coveredNames(covered))
    for (const part of parts(to.request, answer).map(formatItem)) {
      if (!names.has(part)) throw new Malformed(`the answer's signature does not cover ${part}`)
    }
    if (!digestMatches(answer.headers.get('content-digest') ?? '', answer.body)) {
      throw new Malformed('the body is not the one that was signed')
    }
    const message = utf8(signatureBase({ request: to.request, response: answer }, covered))
    if (!(await verifySignature({ did, message, signature })))
      throw new Malformed('the signature does not fit the answer')
    return { status: 'valid', did, created }
  } catch (error) {
    if (error instanceof Malformed) return { status: 'invalid', reason: error.message }
    throw error
  }
}

/** Everything that must be covered: of the answer what is there, of the request what it was signed with. */
function parts(request: RequestHead, response: ResponseHead): Item[] {
  const always = new Set(['@status', 'content-digest', 'oc-status'])
  const own = OF_RESPONSE.filter((name) => always.has(name) || response.headers.has(name))
  const asked = ['@method', '@target-uri', ...['content-digest'].filter((name) => request.headers.has(name))]
  return [
    ...own.map((name) => component(name)),
    ...asked.map((name) => component(name, [['req', YES]])),
    ...(request.headers.has('signature') ? [requestSignature] : []),
  ]
}

const requestSignature = component('signature', [
  ['req', YES],
  ['key', { kind: 'string', value: 'oc' }],
])
