/** Receive: the body is whole and is what its digest says, the method exists, the input is what the method declares. */
import { digestMatches, pathOf, readInput, refuse, type Refusal } from '@perennial/protocol'
import type { Station, Wire } from '../passage.ts'

export const MAX_BODY_BYTES = 1_048_576

export const receive: Station = async (passage, { identity }) => {
  const { wire, method } = passage
  const name = `${method.service}.${method.name}`
  if (wire) {
    const { method: verb } = wire.request
    const reads = verb === 'GET' || verb === 'HEAD'
    if (verb !== 'POST' && !(reads && method.safe))
      return refuse(
        'client-error/wrong-verb',
        `${name} is called with ${method.safe ? 'GET or POST' : 'POST'}, not ${verb}. Nothing was done.`,
      )
    const unread = whole(wire)
    if (unread) return unread
    const sent = reads ? fromQuery(new URL(wire.request.url).searchParams) : fromBody(wire)
    if (sent === undefined)
      return refuse(
        'client-error/bad-request',
        reads
          ? 'A member of the query is given twice.'
          : 'The body is JSON in UTF-8, and Content-Type says application/json. Nothing was done.',
        `${pathOf(method)} is described in /openapi.json.`,
      )
    passage.sent = sent
  }
  const read = readInput(method, passage.sent)
  if (!read.ok)
    return refuse(
      'client-error/invalid-arguments',
      `The input of ${name} is wrong. Nothing was charged. ${read.problem}`,
    )
  passage.input = read.value
  passage.digest = identity.digest(`${name}\0${JSON.stringify(passage.sent)}`)
  return null
}

function whole({ request, body, overlong }: Wire): Refusal | null {
  if (overlong)
    return refuse('client-error/too-large', `The body is larger than ${MAX_BODY_BYTES} bytes. Nothing was done.`)
  const digest = request.headers.get('content-digest')
  if (digest === null || digestMatches(digest, body)) return null
  return refuse(
    'client-error/digest-mismatch',
    'The body is not the one whose Content-Digest was sent. Nothing was done.',
    'Send it again.',
  )
}

function fromQuery(query: URLSearchParams): Record<string, string> | undefined {
  const members = [...query]
  return new Set(members.map(([name]) => name)).size === members.length ? Object.fromEntries(members) : undefined
}

function fromBody({ request, body }: Wire): unknown {
  if (!/^application\/json(?:;\s*charset=utf-8)?$/i.test(request.headers.get('content-type') ?? '')) return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    throw error
  }
}
