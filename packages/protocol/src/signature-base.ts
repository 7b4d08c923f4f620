/**
 * The text that a signature signs (RFC 9421 §2.5): one line for each covered part of the message, then the parameters.
 *
 *   "@method": POST
 *   "@target-uri": https://node.example/oc/apps/deploy
 *   "@signature-params": ("@method" "@target-uri");created=1790000000;keyid="did:key:z6Mk…"
 */
import { Malformed } from './malformed.ts'
import {
  formatBytes,
  formatItem,
  formatMember,
  parseDictionary,
  type InnerList,
  type Item,
} from './structured-fields.ts'

export interface RequestHead {
  readonly method: string
  /** Absolute, as the caller sent it: scheme, host, path and query. */
  readonly url: string
  readonly headers: Headers
}

export interface ResponseHead {
  readonly status: number
  readonly headers: Headers
}

/** What is signed: a request, or a response with the request that it answers. */
export type Signed =
  | { readonly request: RequestHead; readonly response?: undefined }
  | { readonly request: RequestHead; readonly response: ResponseHead }

export function signatureBase(signed: Signed, covered: InnerList): string {
  const seen = new Set<string>()
  const lines = covered.items.map((item) => {
    const name = formatItem(item)
    if (item.kind !== 'string') throw new Malformed(`a covered part is named by a string, not ${name}`)
    if (seen.has(name)) throw new Malformed(`${name} is covered twice`)
    seen.add(name)
    return `${name}: ${valueOf(signed, item.value, item)}`
  })
  return [...lines, `"@signature-params": ${formatMember(covered)}`].join('\n')
}

/** `;req` takes the part from the request that a response answers; `;key` takes one member of a dictionary. */
function valueOf(signed: Signed, name: string, item: Item): string {
  const wanted = new Map(item.params)
  const ofRequest = wanted.get('req')?.value === true
  const key = wanted.get('key')?.value
  wanted.delete('req')
  if (typeof key === 'string') wanted.delete('key')
  if (wanted.size > 0) throw new Malformed(`${formatItem(item)} has a parameter that is not read here`)
  if (ofRequest && !signed.response) throw new Malformed(`${formatItem(item)}: a request answers nothing`)
  const head = ofRequest || !signed.response ? signed.request : signed.response
  if (name.startsWith('@')) {
    if (key !== undefined) throw new Malformed(`${name} is no dictionary`)
    return 'status' in head ? statusOf(head, name) : derived(head, name)
  }
  const value = headerOf(head, name)
  return typeof key === 'string' ? memberOf(value, key) : value
}

function headerOf(head: RequestHead | ResponseHead, name: string): string {
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) throw new Malformed(`"${name}" is not a header's name in lower case`)
  const value = head.headers.get(name)
  if (value === null) throw new Malformed(`the header ${name} is covered but absent`)
  // A line break would let a header's value pose as the next line of the base.
  if (/[\r\n]/.test(value)) throw new Malformed(`the header ${name} has a line break`)
  return value
}

function memberOf(header: string, key: string): string {
  const member = parseDictionary(header).get(key)
  if (!member) throw new Malformed(`there is no member ${key} to cover`)
  return member.kind === 'bytes' && member.params.size === 0 ? formatBytes(member.value) : formatMember(member)
}

function statusOf(head: ResponseHead, name: string): string {
  if (name !== '@status') throw new Malformed(`${name} is no part of a response`)
  return head.status.toString()
}

function derived(head: RequestHead, name: string): string {
  if (name === '@method') return head.method
  const url = new URL(head.url)
  switch (name) {
    case '@target-uri':
      return head.url
    case '@authority':
      return url.host
    case '@scheme':
      return url.protocol.slice(0, -1)
    case '@path':
      return url.pathname
    case '@query':
      return url.search === '' ? '?' : url.search
    default:
      throw new Malformed(`${name} is no part of a request that is read here`)
  }
}
