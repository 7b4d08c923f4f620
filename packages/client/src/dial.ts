/**
 * `fetch` for Node that also reaches apps at `*.localhost`.
 *
 * Browsers send every name under `localhost` to this machine, Node's resolver knows none of them, and Node's fetch
 * lets nobody set Host. So these go through node:http, to 127.0.0.1, with the Host they were asked for.
 */
import { request, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

export const dial: typeof globalThis.fetch = async (input, init) => {
  const asked = new Request(input, init)
  const url = new URL(asked.url)
  if (url.protocol !== 'http:' || !url.hostname.endsWith('.localhost')) return globalThis.fetch(asked)
  const body = asked.body ? new Uint8Array(await asked.arrayBuffer()) : undefined
  const answer = await send(asked, body)
  return responseOf(answer)
}

function send(asked: Request, body: Uint8Array | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request(asked.url, {
      method: asked.method,
      headers: { ...Object.fromEntries(asked.headers), ...(body ? { 'content-length': body.length } : {}) },
      signal: asked.signal,
      lookup: (_name, options, found) => {
        if (options.all) found(null, [{ address: '127.0.0.1', family: 4 }])
        else found(null, '127.0.0.1', 4)
      },
    })
    sent.on('error', reject)
    sent.on('response', resolve)
    sent.end(body)
  })
}

function responseOf(answer: IncomingMessage): Response {
  const status = answer.statusCode ?? 0
  const headers = new Headers()
  for (const [name, values] of Object.entries(answer.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value)
  }
  const empty = status === 204 || status === 205 || status === 304
  if (empty) answer.resume()
  const body = empty ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>)
  return new Response(body, { status, statusText: answer.statusMessage ?? '', headers })
}
