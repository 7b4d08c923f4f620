/**
 * The label of an app's host name: `repo--owner`, or with a hash of the repository's whole URL.
 *
 *   hello--octo                      the default forge, plain names
 *   hello--octo--k3v7q2mzpa          any other forge, or a name that had to be folded or cut
 *
 * A clean slug has exactly one `--` and a hashed one two, so that no name on the default forge can be registered
 * to take another repository's slug. The hash has 50 bits: too many to search for one that collides.
 */
import { createHash } from 'node:crypto'

const MAX_LABEL = 63
const HASH_LENGTH = 10
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'
/** What name and owner may take of a hashed label. */
const MAX_NAME = 30
const MAX_WORDS = MAX_LABEL - HASH_LENGTH - '----'.length

export interface Named {
  readonly url: string
  readonly owner: string
  readonly name: string
  /** It lies on the forge whose names are clean. */
  readonly defaultForge: boolean
}

export function slugOf({ url, owner, name, defaultForge }: Named): { slug: string; clean: boolean } {
  const slug = `${name}--${owner}`
  if (defaultForge && isPlain(name) && isPlain(owner) && name.length !== 2 && slug.length <= MAX_LABEL)
    return { slug, clean: true }
  const folded = fold(name, 'repo')
  // Labels with dashes in third and fourth place are reserved (`xn--`, RFC 5890), which `ab--owner` would be.
  const first = cut(folded.length === 2 ? `repo-${folded}` : folded, MAX_NAME)
  const second = cut(fold(owner, 'owner'), MAX_WORDS - first.length)
  return { slug: `${first}--${second}--${hash(url)}`, clean: false }
}

function isPlain(word: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(word) && !word.includes('--')
}

function fold(word: string, otherwise: string): string {
  const folded = word
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  return folded === '' ? otherwise : folded
}

function cut(word: string, length: number): string {
  return word.slice(0, length).replace(/-$/, '')
}

function hash(url: string): string {
  const digest = createHash('sha256').update(url).digest()
  let bits = digest.readBigUInt64BE()
  let text = ''
  for (let at = 0; at < HASH_LENGTH; at++, bits >>= 5n) text += BASE32[Number(bits & 31n)]
  return text
}
