/**
 * The part of Structured Fields (RFC 9651) that signatures use: dictionaries and lists of strings, tokens, integers,
 * bytes and booleans, with inner lists and parameters.
 *
 *   oc=("@method" "content-digest");created=1790000000;tag="opencloud/1"
 *
 * Stricter than the RFC in one point: a key given twice is refused, where the RFC takes the last. What two readers
 * could read differently must not be signed. Decimals and dates are not read.
 */
import { fromBase64, toBase64, type Bytes } from './bytes.ts'
import { Malformed } from './malformed.ts'

export const MAX_FIELD_LENGTH = 8_192
const MAX_MEMBERS = 64

export type Value =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'token'; readonly value: string }
  | { readonly kind: 'integer'; readonly value: number }
  | { readonly kind: 'bytes'; readonly value: Bytes }
  | { readonly kind: 'boolean'; readonly value: boolean }

export type Params = ReadonlyMap<string, Value>
export type Item = Value & { readonly params: Params }
export interface InnerList {
  readonly kind: 'list'
  readonly items: readonly Item[]
  readonly params: Params
}
export type Member = Item | InnerList

export function parseDictionary(text: string): Map<string, Member> {
  const input = open(text)
  const members = new Map<string, Member>()
  while (input.at < input.text.length) {
    const key = readKey(input)
    if (members.has(key)) throw new Malformed(`the key ${key} is given twice`)
    if (take(input, '=')) members.set(key, readMember(input))
    else members.set(key, { kind: 'boolean', value: true, params: readParams(input) })
    nextMember(input, members.size)
  }
  return members
}

export function parseList(text: string): Member[] {
  const input = open(text)
  const members: Member[] = []
  while (input.at < input.text.length) {
    members.push(readMember(input))
    nextMember(input, members.length)
  }
  return members
}

export function formatMember(member: Member): string {
  if (member.kind !== 'list') return formatItem(member)
  return `(${member.items.map(formatItem).join(' ')})${formatParams(member.params)}`
}

export function formatItem(item: Item): string {
  return formatValue(item) + formatParams(item.params)
}

/** A string as a field value: `"…"`. Only printable ASCII can be one. */
export function formatString(text: string): string {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new Malformed('a header string is printable ASCII')
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}

export function formatBytes(bytes: Uint8Array): string {
  return `:${toBase64(bytes)}:`
}

function formatParams(params: Params): string {
  let text = ''
  for (const [key, value] of params) {
    text += value.kind === 'boolean' && value.value ? `;${key}` : `;${key}=${formatValue(value)}`
  }
  return text
}

function formatValue(value: Value): string {
  switch (value.kind) {
    case 'string':
      return formatString(value.value)
    case 'bytes':
      return formatBytes(value.value)
    case 'boolean':
      return value.value ? '?1' : '?0'
    case 'token':
      return value.value
    case 'integer':
      return value.value.toString()
  }
}

interface Input {
  readonly text: string
  at: number
}

function open(text: string): Input {
  if (text.length > MAX_FIELD_LENGTH) throw new Malformed(`a header field is read up to ${MAX_FIELD_LENGTH} characters`)
  return { text: text.replace(/^ +/, '').replace(/ +$/, ''), at: 0 }
}

/** After a member: the end, or a comma and another member. */
function nextMember(input: Input, count: number): void {
  if (count > MAX_MEMBERS) throw new Malformed(`a header field has at most ${MAX_MEMBERS} members`)
  match(input, /[ \t]*/y)
  if (input.at === input.text.length) return
  if (!take(input, ',')) throw unexpected(input)
  match(input, /[ \t]*/y)
  if (input.at === input.text.length) throw new Malformed('a header field ends with a comma')
}

function readMember(input: Input): Member {
  return input.text[input.at] === '(' ? readInnerList(input) : readItem(input)
}

function readInnerList(input: Input): InnerList {
  input.at++
  const items: Item[] = []
  for (;;) {
    const spaces = match(input, / */y)
    if (take(input, ')')) return { kind: 'list', items, params: readParams(input) }
    if (items.length > 0 && spaces === '') throw unexpected(input)
    if (items.length >= MAX_MEMBERS) throw new Malformed(`a list has at most ${MAX_MEMBERS} items`)
    items.push(readItem(input))
  }
}

function readItem(input: Input): Item {
  const value = readValue(input)
  return { ...value, params: readParams(input) }
}

function readParams(input: Input): Params {
  const params = new Map<string, Value>()
  while (take(input, ';')) {
    match(input, / */y)
    const key = readKey(input)
    if (params.has(key)) throw new Malformed(`the parameter ${key} is given twice`)
    if (params.size >= MAX_MEMBERS) throw new Malformed(`an item has at most ${MAX_MEMBERS} parameters`)
    params.set(key, take(input, '=') ? readValue(input) : { kind: 'boolean', value: true })
  }
  return params
}

function readKey(input: Input): string {
  const key = match(input, /[a-z*][a-z0-9_.*-]*/y)
  if (key === '') throw unexpected(input)
  return key
}

function readValue(input: Input): Value {
  const string = match(input, /"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/y)
  if (string !== '') return { kind: 'string', value: string.slice(1, -1).replaceAll(/\\(["\\])/g, '$1') }
  const bytes = match(input, /:[A-Za-z0-9+/=]*:/y)
  if (bytes !== '') return { kind: 'bytes', value: fromBase64(bytes.slice(1, -1)) }
  const integer = match(input, /-?\d{1,15}(?![\d.])/y)
  if (integer !== '') return { kind: 'integer', value: readInteger(integer) }
  const boolean = match(input, /\?[01]/y)
  if (boolean !== '') return { kind: 'boolean', value: boolean === '?1' }
  const token = match(input, /[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*/y)
  if (token !== '') return { kind: 'token', value: token }
  throw unexpected(input)
}

/** One number, one spelling: `07` and `-0` are refused, since they would be written back otherwise than they were signed. */
function readInteger(text: string): number {
  const value = Number(text)
  if (value.toString() !== text) throw new Malformed(`${text} is not the shortest spelling of an integer`)
  return value
}

function take(input: Input, character: string): boolean {
  if (input.text[input.at] !== character) return false
  input.at++
  return true
}

function match(input: Input, pattern: RegExp): string {
  pattern.lastIndex = input.at
  const found = pattern.exec(input.text)?.[0] ?? ''
  input.at += found.length
  return found
}

function unexpected(input: Input): Malformed {
  const found = input.text.slice(input.at, input.at + 12)
  return new Malformed(`a header field has ${found === '' ? 'an early end' : JSON.stringify(found)} at ${input.at}`)
}
