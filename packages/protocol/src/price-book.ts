/**
 * The price book: what each meter costs on one node, in one asset. A file that anyone can read, and whose
 * hash goes on the ledger when it changes.
 *
 *   { "format": "perennial-price-book/1", "asset": "TEST",
 *     "prices": { "cpu": { "micros": "20000000", "per": "2592000000000000" }, … one for each meter } }
 */
import * as z from 'zod'
import { Malformed } from './malformed.ts'
import { METERS, type Meter, type Usage } from './meters.ts'
import type { Micros } from './micros.ts'
import { type Price, rateCeiling } from './rate.ts'

const MAX_FILE_LENGTH = 16_384
const FORMAT = 'perennial-price-book/1'

export interface PriceBook {
  /** The currency code that every page shows once, `TEST` for push-button credit. */
  readonly asset: string
  readonly prices: Readonly<Record<Meter, Price>>
}

const digits = z.string().regex(/^\d{1,24}$/, 'write it as decimal digits in quotes')
const priceShape = z.strictObject({ micros: digits, per: digits })
const bookShape = z.strictObject({
  format: z.literal(FORMAT, `must be ${FORMAT}`),
  asset: z.string().regex(/^[A-Z][A-Z0-9]{1,9}$/, 'an asset is 2 to 10 capitals and digits, such as TEST'),
  prices: z.strictObject({
    cpu: priceShape,
    memory: priceShape,
    disk: priceShape,
    egress: priceShape,
    requests: priceShape,
    build: priceShape,
  }),
})

export function parsePriceBook(text: string): PriceBook {
  if (text.length > MAX_FILE_LENGTH) throw new Malformed(`the price book is longer than ${MAX_FILE_LENGTH} characters`)
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    throw new Malformed(`the price book is not JSON: ${(error as Error).message}`)
  }
  const read = bookShape.safeParse(document)
  if (!read.success) throw new Malformed(`the price book is wrong: ${z.prettifyError(read.error)}`)
  const prices = Object.fromEntries(METERS.map((meter) => [meter, price(meter, read.data.prices[meter])]))
  return { asset: read.data.asset, prices: prices as Record<Meter, Price> }
}

/** The same book as the file's text: meters in their order, so that one book has one text and one hash. */
export function formatPriceBook(book: PriceBook): string {
  const prices = Object.fromEntries(
    METERS.map((meter) => {
      const { micros, per } = book.prices[meter]
      return [meter, { micros: micros.toString(), per: per.toString() }]
    }),
  )
  return `${JSON.stringify({ format: FORMAT, asset: book.asset, prices }, null, 2)}\n`
}

/** The most that a usage can cost, each meter rounded up, carried remainders included: what to hold for it. */
export function costCeiling(book: PriceBook, usage: Usage): Micros {
  return METERS.reduce((sum, meter) => {
    const used = usage[meter] ?? 0n
    return used === 0n ? sum : sum + rateCeiling({ usage: used, price: book.prices[meter] })
  }, 0n)
}

/** What an app may use at most in one hour; its public maximum burn follows from these and the price book. */
export interface Limits {
  /** Percent of one core. */
  readonly cpuPercent: number
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly egressBytesPerHour: number
  readonly requestsPerHour: number
}

export const HOUR_MS = 3_600_000

export function maxBurnPerHour(book: PriceBook, limits: Limits): Micros {
  return costCeiling(book, {
    cpu: BigInt(limits.cpuPercent) * 36_000_000_000n,
    memory: BigInt(limits.memoryBytes) * BigInt(HOUR_MS),
    disk: BigInt(limits.diskBytes) * BigInt(HOUR_MS),
    egress: BigInt(limits.egressBytesPerHour),
    requests: BigInt(limits.requestsPerHour),
  })
}

function price(meter: Meter, { micros, per }: z.infer<typeof priceShape>): Price {
  if (BigInt(per) === 0n) throw new Malformed(`the price of ${meter} is per 0 units: "per" must be at least 1`)
  return { micros: BigInt(micros), per: BigInt(per) }
}
