/**
 * How much of the node's time one address or one key may take: buckets that fill at a steady rate.
 *
 * Addresses of one IPv6 network are one caller (network.ts): who changes between them has one bucket. An address on
 * loopback has no limit of its own: there, a proxy or a test speaks for everyone, and keys are limited all the same.
 */
import type { Clock } from '../clock.ts'
import { networkOf } from './network.ts'

interface Rule {
  /** Calls a second, in the long run. */
  readonly perSecond: number
  /** Calls at once, after a while of none. */
  readonly burst: number
}

const RULES = {
  /** Any call by an address, signed or not. */
  'call by address': { perSecond: 50, burst: 300 },
  /** Calls that change something. */
  'change by address': { perSecond: 2, burst: 60 },
  'change by key': { perSecond: 100, burst: 500 },
  /** Each may cost the start allowance a build. */
  'deploy by address': { perSecond: 10 / 3600, burst: 10 },
  'deploy by key': { perSecond: 60 / 3600, burst: 60 },
  /** Checks of signatures that turned out wrong. */
  'bad signature by address': { perSecond: 1, burst: 30 },
} as const satisfies Record<string, Rule>

export type LimitName = keyof typeof RULES

export interface Limits {
  /** Takes one; how many seconds to wait if there is none left, else 0. */
  take(name: LimitName, whose: string): number
}

/** Beyond this many, the fullest buckets are forgotten first: those are of callers who were quiet longest. */
const MAX_BUCKETS = 50_000

export function openLimits({ clock }: { clock: Clock }): Limits {
  const buckets = new Map<string, { left: number; atMs: number }>()
  return {
    take(name, whose) {
      if (name.endsWith('by address') && isLoopback(whose)) return 0
      const { perSecond, burst } = RULES[name]
      const key = `${name} ${name.endsWith('by address') ? networkOf(whose) : whose}`
      const nowMs = clock.monotonicMs()
      const bucket = buckets.get(key) ?? { left: burst, atMs: nowMs }
      // Put back at the end: a Map keeps the order, so those at its start were quiet longest.
      buckets.delete(key)
      bucket.left = Math.min(burst, bucket.left + ((nowMs - bucket.atMs) / 1000) * perSecond)
      bucket.atMs = nowMs
      buckets.set(key, bucket)
      if (buckets.size > MAX_BUCKETS) buckets.delete(buckets.keys().next().value!)
      if (bucket.left < 1) return Math.ceil((1 - bucket.left) / perSecond)
      bucket.left -= 1
      return 0
    },
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address)
}
