/**
 * Which files a registry's document lists, where they are, and what they must hash to; stored beside the document
 * so that one file is found without reading the whole document again:
 *
 *   \n<file>\t<algorithm>\t<hex>\t<address>\n<file>…\n
 */
import { isDigest, type Algorithm, type Digest } from './digest.ts'

export interface Listed {
  readonly digest: Digest
  /** As the document says: absolute. */
  readonly url: string
}

export function formatListing(files: ReadonlyMap<string, Listed>): string {
  let text = '\n'
  for (const [file, { digest, url }] of files) {
    const line = `${file}\t${digest.algorithm}\t${digest.hex}\t${url}`
    if (!line.includes('\n')) text += `${line}\n`
  }
  return text
}

/** `of` is the name of the package, for digests that need one. */
export function findListed(listing: Buffer, file: string, of: string): Listed | null {
  const at = listing.indexOf(`\n${file}\t`)
  if (at < 0) return null
  const line = listing.toString('utf8', at + 1, listing.indexOf(10, at + 1))
  const [, algorithm = '', hex = '', url = ''] = line.split('\t')
  if (!isDigest(algorithm, hex)) return null
  const digest = { algorithm: algorithm as Algorithm, hex }
  return { digest: algorithm === 'sha1' ? { ...digest, of: `${of}/-/${file}` } : digest, url }
}
