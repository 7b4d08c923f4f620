/** Which form a client prefers (`Accept`), and whether it has what we would send (`If-None-Match`). */
import type { IncomingHttpHeaders } from 'node:http'

const MOST_PARTS = 32

/**
 * The first of `offered` types that `accept` weighs highest; the first one for a client that does not say, or that
 * accepts none of them: a document in another form still beats none.
 */
export function preferred<T extends string>(accept: string | undefined, offered: readonly [T, ...T[]]): T {
  let best: T = offered[0]
  let bestWeight = 0
  const weights = new Map<string, number>()
  for (const part of (accept ?? '').split(',', MOST_PARTS)) {
    const [type = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase())
    const q = parameters.find((each) => each.startsWith('q='))
    const weight = q === undefined ? 1 : Number(q.slice(2))
    if (type !== '' && weight >= 0 && weight <= 1) weights.set(type, weight)
  }
  for (const type of offered) {
    const weight = weights.get(type) ?? 0
    if (weight > bestWeight) [best, bestWeight] = [type, weight]
  }
  return best
}

/** Our tags are strong and hold no comma; a weak one of the same name says the same for a GET (RFC 9110 §13.1.2). */
export function hasAlready(headers: IncomingHttpHeaders, etag: string): boolean {
  const sent = headers['if-none-match']
  if (sent === undefined) return false
  return sent
    .split(',', MOST_PARTS)
    .map((each) => each.trim())
    .some((each) => each === '*' || each === etag || each === `W/${etag}`)
}
