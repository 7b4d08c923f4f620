/** How the package door answers: a stored text or file, checked before its first byte is sent, or a sentence. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { hasAlready } from './asked.ts'
import type { Bill } from './bill.ts'
import type { Npm, Text } from './npm.ts'
import type { Python } from './python.ts'
import type { Held } from './store.ts'
import { withOrigin } from './with-origin.ts'

export interface Shelves {
  readonly npm: Npm
  readonly python: Python
}

export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly path: string
  /** The door's own. */
  readonly origin: string
  readonly shelves: Shelves
  readonly bill: Bill
}

/** A document may change in some minutes, a published file never does. */
const CHANGES = 'max-age=300'
const NEVER_CHANGES = 'max-age=31536000, immutable'

export async function sendText(exchange: Exchange, text: Text, type: string): Promise<void> {
  const { req, res, origin } = exchange
  await using held = text.held
  const headers = { etag: text.etag, vary: 'accept', 'cache-control': CHANGES }
  if (hasAlready(req.headers, text.etag)) return void res.writeHead(304, headers).end()
  await send(exchange, { ...headers, 'content-type': type }, withOrigin(held.chunks(), origin))
}

export async function sendFile(exchange: Exchange, file: Held): Promise<void> {
  await using held = file
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': held.sizeBytes,
    'cache-control': NEVER_CHANGES,
  }
  await send(exchange, headers, held.chunks())
}

async function send(
  { req, res, bill }: Exchange,
  headers: OutgoingHttpHeaders,
  chunks: AsyncIterable<Buffer>,
): Promise<void> {
  res.writeHead(200, headers)
  if (req.method === 'HEAD') return void res.end()
  await pipeline(billed(chunks, bill), res)
}

async function* billed(chunks: AsyncIterable<Buffer>, bill: Bill): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    bill.sent(chunk.length)
    yield chunk
  }
}

export function say(res: ServerResponse, status: number, error: string): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }))
}
