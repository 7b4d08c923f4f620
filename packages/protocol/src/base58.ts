/** base58btc, as did:key spells keys: no 0, O, I or l. For short inputs only: its cost grows with the square of the length. */
import { concat, type Bytes } from './bytes.ts'
import { Malformed } from './malformed.ts'

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const MAX_LENGTH = 128

export function encodeBase58(bytes: Uint8Array): string {
  let number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  let text = ''
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)]! + text
  return '1'.repeat(leadingZeros(bytes)) + text
}

export function decodeBase58(text: string): Bytes {
  if (text.length > MAX_LENGTH) throw new Malformed(`base58 is read up to ${MAX_LENGTH} characters`)
  const digits = Array.from(text, (character) => ALPHABET.indexOf(character))
  if (digits.includes(-1)) throw new Malformed('base58 has no such character')
  let number = digits.reduce((sum, digit) => sum * 58n + BigInt(digit), 0n)
  const bytes: number[] = []
  for (; number > 0n; number >>= 8n) bytes.unshift(Number(number & 255n))
  return concat(new Uint8Array(leadingZeros(digits)), Uint8Array.from(bytes))
}

/** How many zeros it begins with: they carry no value, so they are spelled one by one. */
function leadingZeros(values: ArrayLike<number>): number {
  let count = 0
  while (count < values.length && values[count] === 0) count++
  return count
}
