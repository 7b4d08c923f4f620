/**
 * ASCII armour, as SSH and OpenPGP wrap signatures:
 *
 *   -----BEGIN SSH SIGNATURE-----
 *   U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg…
 *   -----END SSH SIGNATURE-----
 */
const LONGEST = 65_536

/** The bytes inside; null: it is no armour of this label. */
export function unwrap(text: string, label: string): Buffer | null {
  if (text.length > LONGEST) return null
  const lines = text.trim().split(/\r?\n/)
  if (lines[0]?.trim() !== `-----BEGIN ${label}-----`) return null
  const end = lines.findIndex((line) => line.trim() === `-----END ${label}-----`)
  if (end < 0) return null
  // OpenPGP has headers before an empty line, and a checksum of its own after the last.
  const blank = lines.findIndex((line) => line.trim() === '')
  const body = lines
    .slice(blank > 0 && blank < end ? blank + 1 : 1, end)
    .filter((line) => !/^=[A-Za-z0-9+/]{4}$/.test(line))
  const base64 = body.map((line) => line.trim()).join('')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return null
  return Buffer.from(base64, 'base64')
}
