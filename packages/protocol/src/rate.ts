/**
 * What usage costs, exactly, however often it is asked.
 *
 * A price is a fraction: `micros` for `per` units. What does not fill a whole micro is carried to the next
 * interval, so an hour charged once and the same hour charged in a thousand pieces cost the same.
 */
import { Malformed } from './malformed.ts'
import type { Micros } from './micros.ts'

export interface Price {
  readonly micros: Micros
  readonly per: bigint
}

export interface Rated {
  readonly micros: Micros
  /** Parts of a micro not yet charged, in units of 1/`per`: 0 <= carried < per. Begin with 0, and again with 0 when the price changes. */
  readonly carried: bigint
}

export function rate({ usage, price, carried }: { usage: bigint; price: Price; carried: bigint }): Rated {
  if (usage < 0n) throw new Malformed('usage cannot be negative')
  if (carried < 0n || carried >= price.per)
    throw new Malformed('a carried remainder is less than one micro of its price')
  const owed = usage * price.micros + carried
  return { micros: owed / price.per, carried: owed % price.per }
}

/** The most that `usage` can cost whatever was carried before it: what to hold so that the charge always fits. */
export function rateCeiling({ usage, price }: { usage: bigint; price: Price }): Micros {
  return rate({ usage, price, carried: price.per - 1n }).micros
}
