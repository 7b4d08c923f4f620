/** The name under which what a build installed may be kept: whatever decides what is installed is part of it. */
import { createHash } from 'node:crypto'

export function cacheKey(parts: readonly (string | null)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
