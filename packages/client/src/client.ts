/**
 * Calls methods of a node as their declarations say: typed input in, typed output or a refusal out.
 *
 * Every call is signed with the client's key, if it has one, and every answer must be signed by the node and fit the
 * request it answers; otherwise `call` throws, so nobody acts on what a stranger on the way made up.
 */
import {
  contentDigest,
  pathOf,
  readOutput,
  refusalOf,
  signRequest,
  utf8,
  verifyResponse,
  writeInput,
  type Answer,
  type InputOf,
  type Key,
  type Method,
  type OutputOf,
  type Refusal,
  type RequestToSign,
} from '@perennial/protocol'
import { readBody } from './body.ts'
import { BadAnswer, NodeUnreachable } from './errors.ts'
import { readEvents, type ServerEvent } from './events.ts'
import { NonceSource } from './nonce-source.ts'

export interface ClientOptions {
  /** Where the node is called, without a path: `http://127.0.0.1:8080`. */
  readonly node: string
  /** Who calls. Without one only methods that anyone may call answer. */
  readonly key?: Key | undefined
  /** The node's did:key, if known. Without it the first answer decides, and later ones must come from the same node. */
  readonly nodeDid?: string | undefined
  readonly fetch?: typeof globalThis.fetch | undefined
  readonly nowMs?: (() => number) | undefined
}

export interface Client {
  /** Where the node is called. */
  readonly origin: string
  /** Who calls. */
  readonly did: string | undefined
  /** The node that answers, once one has. */
  readonly nodeDid: string | undefined
  call<M extends Method>(
    declared: M,
    input: InputOf<M>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<OutputOf<M> | Refusal>
  /** A stream of the node's, such as an app's log, until it ends or `signal` aborts. Not signed: for watching, not for proof. */
  events(
    path: string,
    options?: { readonly signal?: AbortSignal; readonly lastEventId?: string },
  ): AsyncGenerator<ServerEvent, void>
}

/** An answer is kept in memory before it is checked. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

export function openClient(options: ClientOptions): Client {
  const origin = new URL(options.node).origin
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis)
  const nowSeconds = () => Math.floor((options.nowMs ?? Date.now)() / 1000)
  const nonces = new NonceSource()
  let nodeDid = options.nodeDid

  async function ask(declared: Method, body: Uint8Array<ArrayBuffer>, signal: AbortSignal | undefined) {
    const url = new URL(pathOf(declared), origin).href
    // The digest goes along unsigned too: the node's signature binds its answer to it.
    const headers = new Headers({ 'content-type': 'application/json', 'content-digest': contentDigest(body) })
    const request: RequestToSign = { method: 'POST', url, headers, body }
    const nonce = nonces.next(nowSeconds())
    if (options.key) await signRequest(request, { key: options.key, nonce, nowSeconds: nowSeconds() })
    const answer = await send({ fetch, request, body, signal })
    const check = await verifyResponse(answer, { request })
    if (check.status === 'invalid') {
      throw new BadAnswer(`${url} answered ${answer.status} without the node's signature: ${check.reason}`)
    }
    nodeDid ??= check.did
    if (check.did !== nodeDid) throw new BadAnswer(`${origin} was ${nodeDid} and now answers as ${check.did}`)
    const stale = answer.headers.get('oc-status') === 'request-declined/refresh-nonce'
    const offered = answer.headers.get('oc-nonce')
    if (offered !== null) nonces.offer({ token: offered, refused: stale ? nonce : undefined })
    return { answer, stale }
  }

  return {
    origin,
    did: options.key?.did,
    get nodeDid() {
      return nodeDid
    },
    async call(declared, input, { signal } = {}) {
      const body = utf8(JSON.stringify(writeInput(declared, input)))
      let { answer, stale } = await ask(declared, body, signal)
      // The node did nothing but offer a new nonce. Once: a node that never likes one is answered like any refusal.
      if (stale && options.key) ({ answer, stale } = await ask(declared, body, signal))
      return resultOf(declared, answer, origin)
    },
    async *events(path, { signal, lastEventId } = {}) {
      const headers = new Headers({ accept: 'text/event-stream' })
      if (lastEventId !== undefined) headers.set('last-event-id', lastEventId)
      const url = new URL(path, origin).href
      const response = await reach(fetch, url, { headers, signal: signal ?? null })
      if (!response.ok || !response.body) throw new BadAnswer(`${url} answered ${response.status} and no events`)
      yield* readEvents(response.body)
    },
  }
}

async function send(sent: {
  readonly fetch: typeof globalThis.fetch
  readonly request: RequestToSign
  readonly body: Uint8Array<ArrayBuffer>
  readonly signal: AbortSignal | undefined
}): Promise<Answer> {
  const { method, url, headers } = sent.request
  // A redirect would carry a signed request to another address.
  const init: RequestInit = { method, headers, body: sent.body, redirect: 'error', signal: sent.signal ?? null }
  const response = await reach(sent.fetch, url, init)
  const body = await readBody(response, MAX_ANSWER_BYTES)
  return { status: response.status, headers: response.headers, body }
}

async function reach(fetch: typeof globalThis.fetch, url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new NodeUnreachable(
      `no answer from ${new URL(url).origin}: is the node running there? (${reasonOf(error)})`,
      {
        cause: error,
      },
    )
  }
}

/** fetch says "fetch failed" and keeps what happened in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message || String(error.cause) : error.message
}

function resultOf<M extends Method>(declared: M, answer: Answer, origin: string): OutputOf<M> | Refusal {
  const document = jsonOf(answer.body, origin)
  if (answer.headers.get('oc-status') === 'ok') {
    const output = readOutput(declared, document)
    if (output.ok) return output.value
    throw new BadAnswer(`${origin} answered ${declared.service}.${declared.name} in another form: ${output.problem}`)
  }
  const refusal = refusalOf(document)
  if (!refusal) throw new BadAnswer(`${origin} refused with ${answer.status} but did not say why`)
  return refusal
}

function jsonOf(body: Uint8Array, origin: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    throw new BadAnswer(`${origin} answered with something that is not JSON`, { cause: error })
  }
}
