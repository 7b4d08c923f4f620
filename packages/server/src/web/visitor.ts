/** Who looks at a page, and whether a form that comes in is one that we gave to exactly them. */
import type { Identity, Session } from '../identity/index.ts'
import type { Caller } from '../rpc/index.ts'

export interface Visitor {
  readonly session: Session
  readonly caller: Caller
}

/** The visitor of a page. One without a session gets one, which costs nothing until they do something. */
export async function visitorOf(
  { headers }: Pick<Request, 'headers'>,
  { address, sessions }: { address: string; sessions: Identity['sessions'] },
): Promise<Visitor> {
  const session = (await sessions.read(headers.get('cookie'))) ?? (await sessions.create())
  return { session, caller: { did: session.did, via: 'session', address } }
}

export type Form = ReadonlyMap<string, string>
export type ReadForm = { readonly form: Form; readonly visitor: Visitor } | { readonly refused: string }

const MAX_FORM_BYTES = 16_384
const NO_COOKIE =
  'Your browser keeps no cookie for this address, so nobody can tell that the form was yours. Allow cookies; over plain http, use a current Chromium or Firefox. Nothing was done.'
const FOREIGN =
  'This form did not come from a page of this node, or that page is old. Nothing was done. Load the page again and repeat.'

/**
 * Reads a form if it came from a page of ours, in this visitor's hands: same origin, their session, their token.
 * Each alone would do in a good browser; together they hold in a bad one.
 */
export async function readForm(
  request: Request,
  { origin, address, sessions }: { origin: string; address: string; sessions: Identity['sessions'] },
): Promise<ReadForm> {
  const { headers } = request
  const site = headers.get('sec-fetch-site')
  if (headers.get('origin') !== origin || (site !== null && site !== 'same-origin')) return { refused: FOREIGN }
  if (!/^application\/x-www-form-urlencoded(?:;|$)/i.test(headers.get('content-type') ?? ''))
    return { refused: FOREIGN }
  const session = await sessions.read(headers.get('cookie'))
  if (session === null) return { refused: NO_COOKIE }
  const text = await bounded(request)
  if (text === null) return { refused: 'The form is too large. Nothing was done.' }
  const form = new Map(new URLSearchParams(text))
  if (!sessions.isFormToken(session, form.get('token'))) return { refused: FOREIGN }
  return { form, visitor: { session, caller: { did: session.did, via: 'session', address } } }
}

async function bounded({ body }: Request): Promise<string | null> {
  const chunks: Uint8Array[] = []
  let size = 0
  if (body)
    for await (const chunk of body) {
      size += chunk.length
      if (size > MAX_FORM_BYTES) return null
      chunks.push(chunk)
    }
  return Buffer.concat(chunks).toString('utf8')
}
