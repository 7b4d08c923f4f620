/**
 * What a repository is searched for. Every name that is asked for and not there is remembered, in order, so that the
 * answer can say what was looked for.
 */
import type { Listing } from '../fetched.ts'

export interface Look {
  /** Text of a file, if it is there. */
  file(name: string): string | undefined
  has(name: string): boolean
  /** The first of several names that is there. */
  first(...names: readonly string[]): string | undefined
  /** Something that is no file was looked for and not found: `scripts.start in package.json`. */
  miss(what: string): void
  readonly missed: readonly string[]
  readonly listing: Listing
}

export function openLook(listing: Listing): Look {
  const missed = new Set<string>()
  const has = (name: string): boolean => {
    const there = listing.paths.has(name)
    if (!there) missed.add(name)
    return there
  }
  return {
    file: (name) => (has(name) ? listing.files.get(name) : undefined),
    has,
    first: (...names) => names.find(has),
    miss: (what) => void missed.add(what),
    get missed() {
      return [...missed]
    },
    listing,
  }
}
