/** A ledger in a database of its own, for this package's tests. */
import { newId } from '@perennial/protocol'
import { testDatabase, type Template, type TestDatabase } from '@perennial/testnet/postgres'
import { ledgerSql, migrateLedger, openLedger, type Event, type Ledger, type LedgerOptions } from '../index.ts'

export const template: Template = { name: 'ledger', migrate: migrateLedger, sources: [ledgerSql] }

export interface TestLedger {
  ledger: Ledger
  database: TestDatabase
  /** A private account of asset 1; without a floor, money may come from it. */
  open(name: string, terms?: { asset?: number; public?: boolean; floor?: bigint | null }): Promise<bigint>
  [Symbol.asyncDispose](): Promise<void>
}

export async function testLedger(options: Partial<LedgerOptions> = {}): Promise<TestLedger> {
  const database = await testDatabase(template)
  const ledger = await openLedger({ url: database.url, ...options })
  return {
    ledger,
    database,
    open: (name, { asset = 1, floor = 0n, public: shown = false } = {}) =>
      ledger.openAccount({ name, asset, floor, public: shown }),
    async [Symbol.asyncDispose]() {
      await ledger.close()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** An event with an id of its own. */
export function event(fields: Partial<Event>): Event {
  return { id: newId(), code: 1, ...fields }
}
