/**
 * Ids: made by whoever asks, so that asking twice does a thing once.
 *
 * `newId` is a version 7 UUID (RFC 9562), which sorts by time and keeps indexes compact. `deriveId` is a
 * version 8 UUID made from its cause, so that a cause posted twice has the same id both times.
 */
import { concat, toHex, utf8 } from './bytes.ts'
import { sha256 } from './sha256.ts'

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function newId(from: { readonly nowMs?: number; readonly random?: Uint8Array } = {}): string {
  const bytes = new Uint8Array(16)
  bytes.set(from.random ?? crypto.getRandomValues(new Uint8Array(10)), 6)
  const view = new DataView(bytes.buffer)
  const nowMs = from.nowMs ?? Date.now()
  view.setUint32(0, Math.floor(nowMs / 65_536))
  view.setUint16(4, nowMs % 65_536)
  return uuid(bytes, 7)
}

/**
 * The id of whatever follows from these parts, in this order: the first 16 bytes of SHA-256 over each part
 * with its length before it, so that ('ab', 'c') and ('a', 'bc') differ.
 */
export function deriveId(...parts: readonly string[]): string {
  const framed = parts.flatMap((part) => {
    const bytes = utf8(part)
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, bytes.length)
    return [length, bytes]
  })
  return uuid(sha256(concat(...framed)).slice(0, 16), 8)
}

function uuid(bytes: Uint8Array, version: 7 | 8): string {
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4)
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = toHex(bytes)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
