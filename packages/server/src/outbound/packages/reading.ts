/** What the reading process is asked and answers (reader.ts asks, reader-process.ts answers). */
import { readFileSync, writeFileSync } from 'node:fs'
import { sha256 } from './digest.ts'
import { formatListing, type Listed } from './listing.ts'
import { MalformedDocument } from './malformed.ts'
import { readPackument, readVersion } from './npm-document.ts'
import { readProject } from './python-document.ts'

export interface Job {
  readonly kind: 'npm-short' | 'npm-full' | 'npm-version' | 'python'
  /** Whose document it should be. */
  readonly name: string
  /** The bytes as they came. */
  readonly path: string
  readonly url: string
  readonly contentType: string
  /** Paths that may be written: one for each text and the listing. */
  readonly out: readonly [listing: string, first: string, second: string]
}

export interface Made {
  readonly path: string
  readonly hex: string
  readonly sizeBytes: number
}
export type Read =
  | { readonly listing: Made; readonly texts: Readonly<Record<string, Made>> }
  | { readonly malformed: string }

export function read(job: Job): Read {
  try {
    const { texts, files } = parse(job)
    const [listing, ...paths] = job.out
    return {
      listing: write(listing, formatListing(files)),
      texts: Object.fromEntries(Object.entries(texts).map(([form, text], i) => [form, write(paths[i] ?? '', text)])),
    }
  } catch (error) {
    if (error instanceof MalformedDocument) return { malformed: error.message }
    // Nested deeper than the stack, or longer than a string can be.
    if (error instanceof RangeError) return { malformed: `the registry's document of ${job.name} cannot be read` }
    throw error
  }
}

function parse(job: Job): { texts: Record<string, string>; files: ReadonlyMap<string, Listed> } {
  const text = readFileSync(job.path, 'utf8')
  const { kind, name } = job
  if (kind === 'python') return readProject(text, { project: name, url: job.url, contentType: job.contentType })
  const form = kind === 'npm-short' ? 'short' : 'full'
  const found = kind === 'npm-version' ? readVersion(text, name) : readPackument(text, { name, form })
  return { texts: { json: found.text }, files: found.files }
}

function write(path: string, text: string): Made {
  const bytes = Buffer.from(text)
  writeFileSync(path, bytes, { flag: 'wx' })
  return { path, hex: sha256(bytes), sizeBytes: bytes.length }
}
