/**
 * The node's ledger, its prices and who it is: opened, or begun with a genesis record.
 *
 * A ledger's id is the hash of its genesis: the issuer's key, the asset and the charter. The price book in force is
 * a record too, so that anyone can check a charge against the prices of its day.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { migrateLedger, openLedger, type Ledger } from '@perennial/ledger'
import {
  canonicalText,
  DEFAULT_PRICE_BOOK,
  formatPriceBook,
  parsePriceBook,
  recordTopic,
  type PriceBook,
} from '@perennial/protocol'
import pg from 'pg'
import type { Config } from './config.ts'
import { firstDocument, insertDocument } from './queries.ts'
import type { Services } from './services.ts'

export interface Books {
  readonly ledger: Ledger
  readonly priceBook: PriceBook
  /** Hex of SHA-256 of the genesis. */
  readonly ledgerId: string
  close(): Promise<void>
}

/** A call that a kill cut off gives back what it held (rpc/stations/hold.ts) this often, and at each start. */
const EXPIRE_EVERY_MS = 3_600_000

const CHARTER =
  'Push-button credit: TEST is worth nothing, is exchanged for nothing and cannot be withdrawn. ' +
  'Purses pay providers, margins and shares, and nobody else.'

export async function openBooks(
  services: Pick<Services, 'config' | 'database' | 'clock' | 'diagnostics'>,
  options: { url: string; issuer: string; onFenced: (error: Error) => void },
): Promise<Books> {
  const { config, clock, database, diagnostics } = services
  const client = new pg.Client({ connectionString: options.url })
  await client.connect()
  try {
    await migrateLedger(client)
  } finally {
    await client.end()
  }
  const priceBook = await readPriceBook(config)
  const ledger = await openLedger({ url: options.url, now: () => clock.now().getTime(), onFenced: options.onFenced })

  /** Recorded first, kept second: a kill in between repeats both, and the record is the same. */
  const publish = async (topic: number, text: string) => {
    const { seq } = await ledger.record({ topic, document: text })
    const hash = createHash('sha256').update(text).digest()
    await insertDocument(database, { hash, topic, text, seq, at: clock.now() })
    return hash
  }
  const genesis = recordTopic('genesis')
  const begun = await firstDocument(database, genesis)
  const id = begun?.hash ?? (await publish(genesis, genesisText({ issuer: options.issuer, asset: priceBook.asset })))
  await publish(recordTopic('price-book'), formatPriceBook(priceBook))
  const stop = new AbortController()
  const sweep = async () => {
    while (!stop.signal.aborted) {
      await ledger
        .expire()
        .catch((error: unknown) => diagnostics.warn('expired holds stay until the next hour', { error }))
      await clock.sleep(EXPIRE_EVERY_MS, stop.signal)
    }
  }
  const sweeping = sweep()
  return {
    ledger,
    priceBook,
    ledgerId: id.toString('hex'),
    async close() {
      stop.abort()
      await sweeping
      await ledger.close()
    },
  }
}

async function readPriceBook({ priceBook }: Config): Promise<PriceBook> {
  if (priceBook === undefined) return DEFAULT_PRICE_BOOK
  try {
    return parsePriceBook(await readFile(priceBook, 'utf8'))
  } catch (error) {
    throw new Error(`PERENNIAL_PRICE_BOOK=${priceBook} cannot be used: ${(error as Error).message}`, { cause: error })
  }
}

/** The same words give the same id, so that a genesis recorded before a kill is found again. */
function genesisText({ issuer, asset }: { issuer: string; asset: string }): string {
  return canonicalText({ format: 'perennial-genesis/1', issuer, asset, charter: CHARTER })
}
