/**
 * OpenPGP signatures (RFC 9580): which key made them, as far as they say. The key itself is not in them, so nothing is
 * verified.
 *
 *   packet tag 2 | version 4 | type | algorithms | hashed subpackets | unhashed subpackets | …
 */
import { unwrap } from './armour.ts'

const SIGNATURE_PACKET = 2
const ISSUER = 16
const ISSUER_FINGERPRINT = 33

/** In hex: a fingerprint, or the key id that is its end. Null: it names no key. Undefined: it is no signature. */
export function openPgpKey(armoured: string): string | null | undefined {
  const bytes = unwrap(armoured, 'PGP SIGNATURE') ?? unwrap(armoured, 'PGP MESSAGE')
  const packet = bytes && firstPacket(bytes)
  if (!packet || packet.tag !== SIGNATURE_PACKET) return undefined
  const { body } = packet
  const version = body[0]
  if (version === 3) return body.length >= 15 ? hex(body.subarray(7, 15)) : undefined
  if (version !== 4 && version !== 5 && version !== 6) return undefined
  const wide = version === 6 ? 4 : 2
  const hashed = area(body, 4, wide)
  const unhashed = hashed && area(body, hashed.end, wide)
  if (!hashed || !unhashed) return undefined
  const found = [...subpackets(hashed.bytes), ...subpackets(unhashed.bytes)]
  const fingerprint = found.find(({ type }) => type === ISSUER_FINGERPRINT)?.bytes
  if (fingerprint && (fingerprint.length === 21 || fingerprint.length === 33)) return hex(fingerprint.subarray(1))
  const issuer = found.find(({ type }) => type === ISSUER)?.bytes
  return issuer?.length === 8 ? hex(issuer) : null
}

function firstPacket(bytes: Buffer): { tag: number; body: Buffer } | null {
  const first = bytes[0] ?? 0
  if ((first & 0x80) === 0) return null
  const modern = (first & 0x40) !== 0
  const tag = modern ? first & 0x3f : (first >> 2) & 0x0f
  const length = modern ? modernLength(bytes, 1) : oldLength(bytes, first & 3)
  if (!length || length.at + length.length > bytes.length) return null
  return { tag, body: bytes.subarray(length.at, length.at + length.length) }
}

function oldLength(bytes: Buffer, kind: number): { at: number; length: number } | null {
  const wide = [1, 2, 4, 0][kind] ?? 0
  if (bytes.length < 1 + wide) return null
  return { at: 1 + wide, length: wide === 0 ? bytes.length - 1 : bytes.readUIntBE(1, wide) }
}

function modernLength(bytes: Buffer, at: number): { at: number; length: number } | null {
  const first = bytes[at]
  if (first === undefined) return null
  if (first < 192) return { at: at + 1, length: first }
  if (first < 224) {
    const second = bytes[at + 1]
    return second === undefined ? null : { at: at + 2, length: ((first - 192) << 8) + second + 192 }
  }
  // Lengths in parts are for data that nobody has counted, never for a signature.
  if (first < 255 || bytes.length < at + 5) return null
  return { at: at + 5, length: bytes.readUInt32BE(at + 1) }
}

function area(body: Buffer, at: number, wide: number): { bytes: Buffer; end: number } | null {
  if (body.length < at + wide) return null
  const start = at + wide
  const end = start + body.readUIntBE(at, wide)
  return end <= body.length ? { bytes: body.subarray(start, end), end } : null
}

function subpackets(bytes: Buffer): { type: number; bytes: Buffer }[] {
  const found = []
  for (let at = 0; at < bytes.length;) {
    const length = subpacketLength(bytes, at)
    if (!length || length.length < 1 || length.at + length.length > bytes.length) break
    const type = (bytes[length.at] ?? 0) & 0x7f
    found.push({ type, bytes: bytes.subarray(length.at + 1, length.at + length.length) })
    at = length.at + length.length
  }
  return found
}

/** As packets of the newer form, but for lengths of two bytes going on to 254. */
function subpacketLength(bytes: Buffer, at: number): { at: number; length: number } | null {
  const first = bytes[at]
  if (first === undefined || first < 224 || first === 255) return modernLength(bytes, at)
  const second = bytes[at + 1]
  return second === undefined ? null : { at: at + 2, length: ((first - 192) << 8) + second + 192 }
}

function hex(bytes: Buffer): string {
  return bytes.toString('hex').toUpperCase()
}
