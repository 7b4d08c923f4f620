/**
 * Bytes and their spellings, for Node and browsers alike: UTF-8, hex, base64 and base64url.
 *
 * Decoders are strict: a text has exactly one set of bytes and bytes have exactly one text, because what is
 * compared or signed as text must not have two spellings.
 */
import { Malformed } from './malformed.ts'

/** Bytes that WebCrypto accepts: never backed by shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>

const encoder = new TextEncoder()

export function utf8(text: string): Bytes {
  return encoder.encode(text)
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export function equalBytes(one: Uint8Array, other: Uint8Array): boolean {
  // Every byte is looked at, so the time taken does not tell where they differ.
  let difference = one.length ^ other.length
  for (let i = 0; i < one.length; i++) difference |= (one[i] ?? 0) ^ (other[i] ?? 0)
  return difference === 0
}

export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

export function fromHex(text: string): Bytes {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) {
    throw new Malformed('hex must be pairs of the digits 0-9 and a-f')
  }
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16)
  return bytes
}

export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}

export function fromBase64(text: string): Bytes {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw new Malformed('base64 must be whole groups of four characters, padded with =')
  }
  let binary: string
  try {
    binary = atob(text)
  } catch {
    throw new Malformed('base64 must be whole groups of four characters, padded with =')
  }
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
  // The last group may carry unused bits; unless they are zero, two texts would mean the same bytes.
  if (toBase64(bytes) !== text) throw new Malformed('base64 has bits set past its end')
  return bytes
}

export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

export function fromBase64Url(text: string): Bytes {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Malformed('base64url uses A-Z a-z 0-9 - _ and no padding')
  const padded = text.replaceAll('-', '+').replaceAll('_', '/')
  return fromBase64(padded + '='.repeat((4 - (padded.length % 4)) % 4))
}
