/**
 * The price book a new node starts with: what such hosting costs elsewhere, so that nobody's first surprise is the price.
 *
 * A month is 30 days and a GB is 10^9 bytes. cpu 20.00 a core and month, memory 10.00 a GB and month, disk
 * 0.15 a GB and month, egress 0.05 a GB: what Railway asked in 2026. requests 0.10 a million, for the gateway's own
 * work. build 40.00 a core and month: a core with the 2 GB of memory that a build may fill.
 */
import type { PriceBook } from './price-book.ts'

const MONTH_MS = 2_592_000_000n
const CORE_MONTH = MONTH_MS * 1_000_000n
const GB = 1_000_000_000n

export const DEFAULT_PRICE_BOOK: PriceBook = {
  asset: 'TEST',
  prices: {
    cpu: { micros: 20_000_000n, per: CORE_MONTH },
    memory: { micros: 10_000_000n, per: GB * MONTH_MS },
    disk: { micros: 150_000n, per: GB * MONTH_MS },
    egress: { micros: 50_000n, per: GB },
    requests: { micros: 100_000n, per: 1_000_000n },
    build: { micros: 40_000_000n, per: CORE_MONTH },
  },
}
