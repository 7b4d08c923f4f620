/**
 * Files that an admin may take home: a signed call makes a ticket, and a plain GET with it streams the file, so that any
 * tool can fetch it. Tickets are in memory and end soon; a node that restarted makes another.
 *
 *   GET /downloads/<43 characters>   200, with Repr-Digest (RFC 9530) over the whole file; or 404
 */
import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import type { Arrived } from './http.ts'

export interface Downloadable {
  /** Where it lies. */
  readonly source: string
  /** What to call it. */
  readonly name: string
  readonly sizeBytes: number
  /** Hex. */
  readonly sha256: string
}

export interface Downloads {
  offer(file: Downloadable): { readonly path: string; readonly until: Date }
  /** Null: not a path of downloads. */
  answer(arrived: Arrived): Promise<Response | null>
}

const LIFE_MS = 10 * 60_000
const MOST = 1_000
const PATH = /^\/downloads\/([\w-]{43})$/

export function openDownloads({ clock }: { readonly clock: Clock }): Downloads {
  const tickets = new Map<string, { file: Downloadable; until: Date }>()

  const find = (pathname: string): Downloadable | null => {
    const ticket = tickets.get(PATH.exec(pathname)?.[1] ?? '')
    return ticket && ticket.until > clock.now() ? ticket.file : null
  }

  return {
    offer(file) {
      for (const [token, { until }] of tickets) if (until <= clock.now()) tickets.delete(token)
      if (tickets.size >= MOST) tickets.delete(tickets.keys().next().value ?? '')
      const token = randomBytes(32).toString('base64url')
      const until = new Date(clock.now().getTime() + LIFE_MS)
      tickets.set(token, { file, until })
      return { path: `/downloads/${token}`, until }
    },
    async answer({ request, url }) {
      if (!url.pathname.startsWith('/downloads/')) return null
      if (request.method !== 'GET') return gone(405)
      const file = find(url.pathname)
      return file ? send(file) : gone(404)
    },
  }
}

async function send({ source, name, sizeBytes, sha256 }: Downloadable): Promise<Response> {
  const file = await open(source).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (!file) return gone(404)
  return new Response(file.readableWebStream({ autoClose: true }) as ReadableStream<Uint8Array>, {
    headers: {
      'content-type': 'application/gzip',
      'content-length': String(sizeBytes),
      'content-disposition': `attachment; filename="${name}"`,
      'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
  })
}

function gone(status: 404 | 405): Response {
  return new Response('There is nothing to download here, or not any more. Ask for it again.\n', {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
  })
}
