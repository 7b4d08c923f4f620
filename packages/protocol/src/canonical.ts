/**
 * One byte string per JSON value, for hashing and signing: RFC 8785 (JCS), for the values we sign.
 *
 * Keys sorted by UTF-16 units, no spaces. Numbers must be integers that every reader holds exactly; money and other
 * large counts are decimal strings, so no bigint is ever written as a number.
 */
import { utf8, type Bytes } from './bytes.ts'
import { Malformed } from './malformed.ts'

const MAX_DEPTH = 32

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export function canonicalBytes(value: Json): Bytes {
  return utf8(canonicalText(value))
}

export function canonicalText(value: Json, depth = 0): string {
  if (depth > MAX_DEPTH) throw new Malformed(`a signed document is nested at most ${MAX_DEPTH} deep`)
  if (typeof value === 'string') return text(value)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new Malformed(`a signed document holds integers only, not ${value}`)
    // -0 and 0 are one value, so they are one text.
    return (value === 0 ? 0 : value).toString()
  }
  if (value === null || typeof value === 'boolean') return String(value)
  if (isList(value)) return `[${value.map((item) => canonicalText(item, depth + 1)).join(',')}]`
  const members = Object.keys(value)
    .sort()
    .map((key) => `${text(key)}:${canonicalText(value[key]!, depth + 1)}`)
  return `{${members.join(',')}}`
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

function text(value: string): string {
  if (!value.isWellFormed()) throw new Malformed('a signed document is well-formed Unicode')
  return JSON.stringify(value)
}
