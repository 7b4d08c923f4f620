/**
 * What a new app gets before anyone has paid for it (DESIGN §6): a build of at most 5 CPU-minutes in all, and a run
 * of at most 1 CPU-minute a day. Whoever needs more waits for a payment.
 */
import { rateCeiling, type Micros, type PriceBook } from '@perennial/protocol'
import { ALLOWANCE } from './accounts.ts'
import { cpuToday, type Stream } from './stream.ts'

const MINUTE_NS = 60_000_000_000n
export const ALLOWANCE_BUILD_CPU_NS = 5n * MINUTE_NS
export const ALLOWANCE_RUN_CPU_NS_PER_DAY = 1n * MINUTE_NS

const USED_UP =
  'The start allowance is used up: 1 CPU-minute a day until someone pays. Nothing is lost; it starts again after 00:00 UTC, and with any payment at once.'

/** Why this payer pays no more today, in a sentence; null: it does. */
export function ended(stream: Stream, nowMs: number): string | null {
  return stream.payer === ALLOWANCE && cpuToday(stream, nowMs) >= ALLOWANCE_RUN_CPU_NS_PER_DAY ? USED_UP : null
}

/** The most that a build of the allowance can cost, given the CPU time that earlier ones took. */
export function allowanceForBuild(book: PriceBook, usedCpuNs: bigint): Micros {
  const left = ALLOWANCE_BUILD_CPU_NS - usedCpuNs
  return left > 0n ? rateCeiling({ usage: left, price: book.prices.build }) : 0n
}

/** The CPU time that one app may take of the allowance on its first day, in money: for the page that says what a new app gets. */
export function allowancePerApp(book: PriceBook): Micros {
  return allowanceForBuild(book, 0n) + rateCeiling({ usage: ALLOWANCE_RUN_CPU_NS_PER_DAY, price: book.prices.cpu })
}
