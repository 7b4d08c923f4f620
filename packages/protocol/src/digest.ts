/** Content-Digest (RFC 9530): what the body's bytes must hash to. SHA-256 and nothing else. */
import { equalBytes } from './bytes.ts'
import { Malformed } from './malformed.ts'
import { sha256 } from './sha256.ts'
import { formatBytes, parseDictionary } from './structured-fields.ts'

/** `sha-256=:OvcktT37yXVBM1cOzURO2vI9Nr0PItkoluwNJdxVftc=:` */
export function contentDigest(body: Uint8Array): string {
  return `sha-256=${formatBytes(sha256(body))}`
}

/** Whether the header is exactly one SHA-256 and it is the body's. */
export function digestMatches(header: string, body: Uint8Array): boolean {
  try {
    const members = parseDictionary(header)
    const member = members.get('sha-256')
    if (members.size !== 1 || member?.kind !== 'bytes' || member.params.size > 0) return false
    return equalBytes(member.value, sha256(body))
  } catch (error) {
    if (error instanceof Malformed) return false
    throw error
  }
}
