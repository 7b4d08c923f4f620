/**
 * What an interval's usage costs: the price book's rates with what was carried, and never more than was held.
 */
import { METERS, rate, type Meter, type Micros, type Price, type PriceBook, type Usage } from '@perennial/protocol'

export interface Line {
  readonly meter: Meter
  readonly used: bigint
  readonly micros: Micros
}

export type Carried = Partial<Record<Meter, bigint>>

export interface Rating {
  /** Meters that were used, in the order of METERS. */
  readonly lines: readonly Line[]
  /** The sum of the lines. */
  readonly charged: Micros
  /** What it would have cost beyond what was held. */
  readonly uncharged: Micros
  readonly carried: Carried
}

/** The exact cost so far, whether held or not. */
export function costSoFar(book: PriceBook, usage: Usage, carried: Carried): Micros {
  let sum = 0n
  for (const meter of METERS) {
    const used = usage[meter]
    if (used) sum += rate({ usage: used, price: book.prices[meter], carried: carried[meter] ?? 0n }).micros
  }
  return sum
}

/** If the usage costs more than was held, the meters are paid in their order as far as it goes. */
export function rateInterval(book: PriceBook, usage: Usage, carried: Carried, held: Micros): Rating {
  let left = held
  let uncharged = 0n
  const lines: Line[] = []
  const after: Carried = { ...carried }
  for (const meter of METERS) {
    const used = usage[meter] ?? 0n
    if (used === 0n) continue
    const rated = rate({ usage: used, price: book.prices[meter], carried: carried[meter] ?? 0n })
    const micros = rated.micros < left ? rated.micros : left
    left -= micros
    uncharged += rated.micros - micros
    after[meter] = rated.carried
    lines.push({ meter, used, micros })
  }
  return { lines, charged: held - left, uncharged, carried: after }
}

/** Names a price in the books: what was carried at another price is less than a micro and begins anew. */
export function priceText({ micros, per }: Price): string {
  return `${micros}/${per}`
}
