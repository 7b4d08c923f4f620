/** For tests of this package: a node's database, migrated, ledger included, of its own. */
import { ledgerSql, migrateLedger } from '@perennial/ledger'
import { testDatabase } from '@perennial/testnet/postgres'
import type { Template } from '@perennial/testnet/postgres'
import { migrate, openDatabase } from './database.ts'
import type { Database, Queryable } from './database.ts'

export interface TestServerDatabase {
  readonly database: Database
  /** For a ledger or a second pool on the same database. */
  readonly url: string
  [Symbol.asyncDispose](): Promise<void>
}

export async function serverDatabase(): Promise<TestServerDatabase> {
  const cloned = await testDatabase(template)
  const database = await openDatabase({ url: cloned.url })
  return {
    database,
    url: cloned.url,
    async [Symbol.asyncDispose]() {
      await database.close()
      await cloned[Symbol.asyncDispose]()
    },
  }
}

const template: Template = {
  name: 'server',
  sources: [new URL('../sql', import.meta.url), ledgerSql],
  async migrate(client) {
    const queryable: Queryable = {
      query: async <Row>(text: string, values?: readonly unknown[]) =>
        (await client.query(text, values as unknown[] | undefined)).rows as Row[],
    }
    await migrate({
      ...queryable,
      async transaction(work) {
        await client.query('begin')
        const result = await work({ ...queryable, transactional: true })
        await client.query('commit')
        return result
      },
    })
    await migrateLedger(client)
  },
}
