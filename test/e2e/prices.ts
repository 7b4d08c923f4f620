/** Prices at which a small app uses up a payment while a test waits. */
import { mkdtempSync, rmSync, writeFileSync, chmodSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_PRICE_BOOK, formatPriceBook, type PriceBook } from '@perennial/protocol'

export interface Prices extends Disposable {
  /** Of a price book file that the node's user can read. */
  readonly path: string
}

/** Memory costs `microsPerMibSecond` for each MiB and second; all else costs what it always does. */
export function dearMemory(microsPerMibSecond: bigint): Prices {
  return otherPrices({ memory: { micros: microsPerMibSecond, per: 2n ** 20n * 1000n } })
}

/** These meters cost this; all else costs what it always does. */
export function otherPrices(prices: Partial<PriceBook['prices']>): Prices {
  const folder = mkdtempSync('/var/tmp/pn-prices-')
  chmodSync(folder, 0o755)
  const path = join(folder, 'prices.json')
  writeFileSync(path, formatPriceBook({ ...DEFAULT_PRICE_BOOK, prices: { ...DEFAULT_PRICE_BOOK.prices, ...prices } }))
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}
