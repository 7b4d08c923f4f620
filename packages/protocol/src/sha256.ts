/**
 * SHA-256 (FIPS 180-4), synchronous, for Node and browsers.
 *
 * WebCrypto's digest is asynchronous, which would make every derived id and every leaf a promise;
 * Node's own hash does not exist in browsers. Tested against the FIPS examples and Node's implementation.
 */
import type { Bytes } from './bytes.ts'

export function sha256(message: Uint8Array): Bytes {
  const state = Uint32Array.from(INITIAL)
  const schedule = new Uint32Array(64)
  const padded = pad(message)
  const view = new DataView(padded.buffer)
  for (let block = 0; block < padded.length; block += 64) compress({ state, schedule, view, block })
  const digest = new Uint8Array(32)
  const out = new DataView(digest.buffer)
  state.forEach((word, i) => out.setUint32(i * 4, word))
  return digest
}

/** The message, the bit 1, zeros, and the length in bits: whole blocks of 64 bytes. */
function pad(message: Uint8Array): Bytes {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64)
  padded.set(message)
  padded[message.length] = 0x80
  new DataView(padded.buffer).setBigUint64(padded.length - 8, BigInt(message.length) * 8n)
  return padded
}

interface Block {
  readonly state: Uint32Array
  readonly schedule: Uint32Array
  readonly view: DataView
  readonly block: number
}

function compress({ state, schedule: w, view, block }: Block): void {
  for (let i = 0; i < 16; i++) w[i] = view.getUint32(block + i * 4)
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]!
    const y = w[i - 2]!
    const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)
    const s1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10)
    w[i] = w[i - 16]! + s0 + w[i - 7]! + s1
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as Eight
  for (let i = 0; i < 64; i++) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[i]! + w[i]!) | 0
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  const added = [a, b, c, d, e, f, g, h]
  for (let i = 0; i < 8; i++) state[i] = state[i]! + added[i]!
}

type Eight = [number, number, number, number, number, number, number, number]

function turn(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits))
}

/** The first `count` primes: both tables of FIPS 180-4 are made from their roots. */
function primes(count: number): number[] {
  const found: number[] = []
  for (let n = 2; found.length < count; n++) if (found.every((p) => n % p !== 0)) found.push(n)
  return found
}

/** The first 32 bits after the point of the `degree`-th root of `n`, found exactly by integers. */
function fraction(n: number, degree: 2 | 3): number {
  const power = BigInt(degree)
  const scaled = BigInt(n) << (32n * power)
  let low = 0n
  let high = 1n << 40n
  while (high - low > 1n) {
    const middle = (low + high) / 2n
    if (middle ** power <= scaled) low = middle
    else high = middle
  }
  return Number(low & 0xffffffffn)
}

const INITIAL = primes(8).map((p) => fraction(p, 2))
const ROUND = Uint32Array.from(primes(64), (p) => fraction(p, 3))
