/**
 * What one sandbox has moved through the doors, and what it may: bytes, connections at once, time per connection.
 *
 * Counted per source address, which a sandbox cannot forge (sandboxd binds interface and address). An address is
 * used again by later sandboxes, so whoever removes a sandbox calls `forget`.
 */
import { refuse, type Refusal } from '@perennial/protocol'
import { Transform } from 'node:stream'

export interface TrafficLimits {
  /** Both directions together, over the sandbox's life. */
  readonly bytes: number
  readonly connections: number
  /** The longest a single connection or request may last. */
  readonly connectionMs: number
}

export interface Traffic {
  bytes: bigint
  connections: number
  /** Requests that wait for one of them to end. */
  readonly waiting: (() => void)[]
  /** The last "no" of a door, in words: programs inside (git, npm) hide it. */
  refusal: Refusal | null
  /** Hosts that it asked the package door for, as a proxy, and was told no. */
  readonly turnedAway: Set<string>
}

/** Room for the addresses of a /16; far more than sandboxes fit on a machine, so nothing in use is ever dropped. */
const MOST_ADDRESSES = 70_000

export class TrafficTable {
  readonly limits: TrafficLimits
  readonly #rows = new Map<string, Traffic>()

  constructor(limits: TrafficLimits) {
    this.limits = limits
  }

  of(address: string): Traffic {
    let row = this.#rows.get(address)
    if (row) return row
    if (this.#rows.size >= MOST_ADDRESSES)
      throw new Error(`more than ${MOST_ADDRESSES} addresses use the doors; forget() is not called`)
    row = { bytes: 0n, connections: 0, waiting: [], refusal: null, turnedAway: new Set() }
    this.#rows.set(address, row)
    return row
  }

  peek(address: string): Traffic | undefined {
    return this.#rows.get(address)
  }

  forget(address: string): void {
    this.#rows.delete(address)
  }

  /** Whether `traffic` may move `more` bytes in all. */
  has(traffic: Traffic, more = 0): boolean {
    return traffic.bytes + BigInt(more) <= BigInt(this.limits.bytes)
  }

  /** A pass-through that counts, and fails as soon as the limit is passed. */
  meter(traffic: Traffic): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        traffic.bytes += BigInt(chunk.length)
        if (this.has(traffic)) done(null, chunk)
        else {
          traffic.refusal = this.tooMuch()
          done(new Error(traffic.refusal.sentence))
        }
      },
    })
  }

  tooMuch(): Refusal {
    return refuse(
      'client-error/too-large',
      `More than ${Math.floor(this.limits.bytes / 2 ** 20)} MiB were transferred.`,
    )
  }
}

/** The address a socket comes from; an IPv4 peer of a dual-stack socket is written as IPv4. */
export function peerOf(socket: { readonly remoteAddress?: string | undefined }): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
}
