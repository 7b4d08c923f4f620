/**
 * What names a file's bytes: a hash that a registry gave for them.
 *
 * SHA-1 can be collided on purpose, so a file that has no better digest is also named after who it claims to be:
 * its twin can only ever take the place of itself.
 */
import { createHash } from 'node:crypto'

const HEX_LENGTH = { sha512: 128, sha384: 96, sha256: 64, sha1: 40 } as const
export type Algorithm = keyof typeof HEX_LENGTH

export interface Digest {
  readonly algorithm: Algorithm
  readonly hex: string
  /** With SHA-1 alone: whose file it is, e.g. `once/-/once-1.1.1.tgz`. */
  readonly of?: string
}

/** What came is not what was promised. Nothing of it was kept. */
export class WrongIntegrity extends Error {
  override readonly name = 'WrongIntegrity'
}

/** The file's name on disk. */
export function storedName({ algorithm, hex, of }: Digest): string {
  if (algorithm !== 'sha1') return `${algorithm}-${hex}`
  return `sha1-${hex}-${sha256(of ?? '').slice(0, 16)}`
}

export function isDigest(algorithm: string, hex: string): boolean {
  return HEX_LENGTH[algorithm as Algorithm] === hex.length && /^[0-9a-f]+$/.test(hex)
}

export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

/**
 * The strongest hash of a Subresource Integrity text, `sha512-<base64> sha1-<base64>`; null if it has none of ours.
 * npm writes one; a stranger's document may hold anything.
 */
export function fromIntegrity(text: string): Digest | null {
  const found = new Map<string, string>()
  for (const part of text.slice(0, 1024).split(/\s+/)) {
    const [, algorithm = '', base64 = ''] =
      /^(sha512|sha384|sha256|sha1)-([A-Za-z0-9+/]+={0,2})(?:\?.*)?$/.exec(part) ?? []
    const hex = Buffer.from(base64, 'base64').toString('hex')
    if (isDigest(algorithm, hex) && !found.has(algorithm)) found.set(algorithm, hex)
  }
  for (const algorithm of ['sha512', 'sha384', 'sha256', 'sha1'] as const) {
    const hex = found.get(algorithm)
    if (hex !== undefined) return { algorithm, hex }
  }
  return null
}
