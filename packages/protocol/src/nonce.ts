/**
 * Each signed request is taken once. The node gives out a token that only it can make; the caller counts behind it:
 * the signature's nonce is `<token>:<n>`, and no n is taken twice.
 *
 *   AAAAAGqxW3g.5Yw2hV0m1b0iJp6QkW3nTQ:7    serial 2 bytes | expiry 6 bytes, unix seconds . 16 bytes of a MAC : n
 *
 * Requests may overtake each other by WINDOW_SIZE, as in IPsec and WireGuard. The secret stays with the node:
 * it comes in as `mac`.
 */
import { concat, equalBytes, fromBase64Url, toBase64Url, utf8, type Bytes } from './bytes.ts'
import { Malformed } from './malformed.ts'

export const TOKEN_LIFE_SECONDS = 600
export const WINDOW_SIZE = 1_024

/** HMAC-SHA-256 under the node's secret. */
export type Mac = (message: Uint8Array) => Uint8Array

const MAX_NONCE_LENGTH = 64
const EXPIRY_BITS = 48n
const TOKEN = /^([\w-]{11})\.([\w-]{22})$/

export interface TokenFor {
  readonly did: string
  /** Unix seconds. */
  readonly expiresAt: number
  /** 0 to 65535, at random: two programs with one key, asking in the same second, get two tokens and count apart. */
  readonly serial: number
  readonly mac: Mac
}

export function issueToken({ did, expiresAt, serial, mac }: TokenFor): string {
  const head = new Uint8Array(8)
  new DataView(head.buffer).setBigUint64(0, (BigInt(serial) << EXPIRY_BITS) | BigInt(expiresAt))
  return `${toBase64Url(head)}.${toBase64Url(macOf(mac, head, did))}`
}

export type TokenCheck = 'good' | 'expired' | 'foreign'

/** `foreign`: made by another node, for another key, or with a secret that this node no longer has. */
export function checkToken(
  token: string,
  by: { readonly did: string; readonly now: number; readonly mac: Mac },
): TokenCheck {
  const [, headText, macText] = TOKEN.exec(token) ?? []
  if (headText === undefined || macText === undefined) return 'foreign'
  const head = fromBase64Url(headText)
  if (!equalBytes(fromBase64Url(macText), macOf(by.mac, head, by.did))) return 'foreign'
  return expiryIn(head) > by.now ? 'good' : 'expired'
}

/** When a token ends, in unix seconds, for its owner to read; only `checkToken` says whether it is a true one. */
export function tokenExpiry(token: string): number {
  const [, headText] = TOKEN.exec(token) ?? []
  if (headText === undefined) throw new Malformed('this is not a nonce token')
  return expiryIn(fromBase64Url(headText))
}

export interface Nonce {
  readonly token: string
  readonly n: number
}

export function parseNonce(text: string): Nonce {
  const parts = text.length <= MAX_NONCE_LENGTH ? /^([\w-]{11}\.[\w-]{22}):(0|[1-9]\d{0,14})$/.exec(text) : null
  if (!parts) throw new Malformed('a nonce is <token>:<n>')
  return { token: parts[1]!, n: Number(parts[2]) }
}

export function formatNonce({ token, n }: Nonce): string {
  return `${token}:${n}`
}

/** Which n were taken: the highest, and a bit for each of the WINDOW_SIZE at and below it. 128 bytes and a number. */
export class NonceWindow {
  #highest = -1
  readonly #taken = new Uint32Array(WINDOW_SIZE / 32)

  /** True once for each n; false for one already taken, or so far behind that nobody remembers. */
  take(n: number): boolean {
    if (n <= this.#highest - WINDOW_SIZE) return false
    if (n > this.#highest) {
      // The bits between are of numbers a whole window ago: cleared, all of them when the jump is that far.
      const first = Math.max(this.#highest + 1, n - WINDOW_SIZE + 1)
      for (let passed = first; passed <= n; passed++) this.#set(passed, false)
      this.#highest = n
    } else if (this.#has(n)) {
      return false
    }
    this.#set(n, true)
    return true
  }

  #has(n: number): boolean {
    const bit = n % WINDOW_SIZE
    return ((this.#taken[bit >>> 5]! >>> (bit & 31)) & 1) === 1
  }

  #set(n: number, taken: boolean): void {
    const bit = n % WINDOW_SIZE
    const mask = 1 << (bit & 31)
    const word = this.#taken[bit >>> 5]!
    this.#taken[bit >>> 5] = taken ? word | mask : word & ~mask
  }
}

function expiryIn(head: Bytes): number {
  return Number(BigInt.asUintN(Number(EXPIRY_BITS), new DataView(head.buffer).getBigUint64(0)))
}

function macOf(mac: Mac, head: Uint8Array, did: string): Uint8Array {
  return mac(concat(head, utf8(did))).slice(0, 16)
}
