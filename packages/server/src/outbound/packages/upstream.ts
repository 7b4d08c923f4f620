/**
 * A registry that the operator chose, asked by GET through one agent.
 *
 * The registry is the operator's choice (it may be private); where it redirects or links to is not, so another
 * origin passes the same check as a stranger's address and is reached at exactly the address that was checked.
 * Nobody's token is sent. An answer is bounded: in time as a whole, in silence, and in bytes after unpacking.
 */
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { rootCertificates } from 'node:tls'
import { createGunzip } from 'node:zlib'
import { isRefusal, refuse, type Refusal } from '@perennial/protocol'
import type { Checked, Destination } from '../check.ts'

export interface UpstreamSettings {
  readonly url: string
  /** PEM of the authorities that the registry's certificate may come from; absent: Node's own. */
  readonly ca?: string
  readonly httpsProxy?: string
  readonly noProxy?: string
}

export interface Ask {
  readonly accept: string
  /** For the whole answer. */
  readonly timeoutMs: number
  /** Let it come packed, and unpack it. */
  readonly packed?: boolean
  readonly ifNoneMatch?: string | undefined
}

export interface Answer {
  readonly status: number
  /** Where it came from after redirects. */
  readonly url: URL
  readonly contentType: string
  /** What to say in `ifNoneMatch` the next time. */
  readonly etag: string | undefined
  /** The body; throws `UpstreamFailed` when more than `mostBytes` come, and when it breaks off or falls silent. */
  chunks(mostBytes: number): AsyncIterable<Buffer>
  /** Whoever does not read the body calls this. */
  drop(): void
}

export interface Upstream {
  /** With a slash at its end. */
  readonly url: URL
  /** `path` is relative to the registry. Throws `UpstreamFailed` when there is no answer. */
  get(path: string | URL, ask: Ask): Promise<Answer>
  close(): void
}

export class UpstreamFailed extends Error {
  override readonly name = 'UpstreamFailed'
}

const MOST_REDIRECTS = 3
/** A build asks 15 to 64 things at once; several builds run. */
const MOST_SOCKETS = 48
const SILENCE_MS = 30_000
const MAX_HEADER_BYTES = 16 * 1024
const DROPPED_BYTES = 64 * 1024
const MAX_ETAG_LENGTH = 256

export function openUpstream(
  settings: UpstreamSettings,
  check: (destination: Destination) => Promise<Checked | Refusal>,
  { silenceMs = SILENCE_MS }: { silenceMs?: number } = {},
): Upstream {
  const base = new URL(settings.url.endsWith('/') ? settings.url : `${settings.url}/`)
  if (base.protocol !== 'https:' && base.protocol !== 'http:')
    throw new Error(`the registry ${base.host} is not a web address`)
  base.username = ''
  base.password = ''
  const { ca, httpsProxy, noProxy } = settings
  const proxyEnv = {
    ...(httpsProxy !== undefined && { HTTPS_PROXY: httpsProxy }),
    ...(noProxy !== undefined && { NO_PROXY: noProxy }),
  }
  const shared = { keepAlive: true, maxSockets: MOST_SOCKETS, proxyEnv }
  const secure = new https.Agent({ ...shared, ...(ca !== undefined && { ca }) })
  const plain = new http.Agent(shared)
  /** Where the registry leads to may have a certificate of the public authorities. */
  const foreign = new https.Agent({ ...shared, ...(ca !== undefined && { ca: [ca, ...rootCertificates] }) })

  async function get(path: string | URL, ask: Ask): Promise<Answer> {
    const signal = AbortSignal.timeout(ask.timeoutMs)
    let url = new URL(path, base)
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      const message = await send(url, { ...ask, signal })
      const location = redirect(message)
      if (location === null) return answer(message, { url, packed: ask.packed === true })
      drop(message)
      const next = URL.parse(location, url)
      if (!next) throw new UpstreamFailed(`${url.host} redirects to something that is not an address`)
      url = next
    }
    throw new UpstreamFailed(`${base.host} redirects more than ${MOST_REDIRECTS} times`)
  }

  async function send(url: URL, ask: Ask & { signal: AbortSignal }): Promise<IncomingMessage> {
    const route =
      url.origin === base.origin ? { agent: url.protocol === 'https:' ? secure : plain } : await elsewhere(url)
    const request = url.protocol === 'https:' ? https.request : http.request
    return await new Promise((resolve, reject) => {
      const req = request(
        url,
        {
          ...route,
          signal: ask.signal,
          timeout: silenceMs,
          maxHeaderSize: MAX_HEADER_BYTES,
          headers: {
            host: url.host,
            accept: ask.accept,
            'accept-encoding': ask.packed === true ? 'gzip' : 'identity',
            'user-agent': 'perennial',
            ...(ask.ifNoneMatch !== undefined && { 'if-none-match': ask.ifNoneMatch }),
          },
        },
        resolve,
      )
      req.on('timeout', () => req.destroy(new Error(`it was silent for ${silenceMs / 1000} s`)))
      req.on('error', (cause) => reject(new UpstreamFailed(`${url.host} did not answer: ${cause.message}`, { cause })))
      req.end()
    })
  }

  /** Another origin: https only, and at the very address that was checked. */
  async function elsewhere(url: URL): Promise<https.RequestOptions> {
    const found =
      url.protocol === 'https:' && url.username === ''
        ? await check({ host: url.hostname, port: Number(url.port || 443) })
        : refuse('request-declined/policy', `${url.host} is asked without encryption.`)
    if (isRefusal(found)) throw new UpstreamFailed(`${base.host} leads to ${url.host}: ${found.sentence}`)
    return { host: found.address, servername: url.hostname, agent: foreign }
  }

  return {
    url: base,
    get,
    close() {
      for (const agent of [secure, plain, foreign]) agent.destroy()
    },
  }
}

/** Keeps the connection if what is left to read is short. */
function drop(message: IncomingMessage): void {
  const left = Number(message.headers['content-length'] ?? (message.statusCode === 304 ? 0 : Infinity))
  if (left <= DROPPED_BYTES) message.resume()
  else message.destroy()
}

function redirect(answer: IncomingMessage): string | null {
  const moved = [301, 302, 303, 307, 308].includes(answer.statusCode ?? 0)
  return moved ? (answer.headers.location ?? '') : null
}

function answer(message: IncomingMessage, { url, packed }: { url: URL; packed: boolean }): Answer {
  const { etag, 'content-type': contentType = '', 'content-encoding': encoding = 'identity' } = message.headers
  return {
    status: message.statusCode ?? 0,
    url,
    contentType,
    etag: etag !== undefined && etag.length <= MAX_ETAG_LENGTH ? etag : undefined,
    drop: () => drop(message),
    async *chunks(mostBytes) {
      if (encoding !== 'identity' && !(packed && encoding === 'gzip')) {
        message.destroy()
        throw new UpstreamFailed(`${url.host} sent a body packed as ${encoding.slice(0, 40)}, which was not asked for`)
      }
      let bytes = 0
      try {
        for await (const chunk of encoding === 'gzip' ? unpacked(message) : message) {
          bytes += (chunk as Buffer).length
          if (bytes > mostBytes) throw new UpstreamFailed(`${url.host} sent more than ${mostBytes / 2 ** 20} MiB`)
          yield chunk as Buffer
        }
      } catch (error) {
        if (error instanceof UpstreamFailed) throw error
        throw new UpstreamFailed(`${url.host} stopped answering: ${(error as Error).message}`, { cause: error })
      } finally {
        if (!message.complete) message.destroy()
      }
    },
  }
}

/** Unpacks no further than what is read, so a bomb costs what the reader allows. */
function unpacked(message: IncomingMessage): Readable {
  const out = new PassThrough()
  pipeline(message, createGunzip(), out).catch((error: Error) => out.destroy(error))
  return out
}
