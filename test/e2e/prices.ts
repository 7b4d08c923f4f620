/** Prices at which a small app uses up a payment while a test waits: memory costs some 0.01 a second. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_PRICE_BOOK, formatPriceBook } from '@perennial/protocol'

/** A price book file, readable by the node's user. */
export function dearPriceBook(): string {
  const folder = mkdtempSync('/var/tmp/pn-prices-')
  const path = join(folder, 'prices.json')
  const prices = { ...DEFAULT_PRICE_BOOK.prices, memory: { micros: 1n, per: 2_097_152n } }
  writeFileSync(path, formatPriceBook({ ...DEFAULT_PRICE_BOOK, prices }))
  return path
}
