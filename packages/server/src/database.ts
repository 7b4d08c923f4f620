/**
 * The node's PostgreSQL: a pool, transactions, and forward-only migrations.
 *
 * int8 comes back as bigint, so that no amount ever passes through a float. Only `queries.ts` files and the
 * root services write SQL; money is written by @perennial/ledger alone, on a connection of its own.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

export interface Queryable {
  /** Runs one statement; rows as objects, int8 as bigint, timestamptz as Date. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>
}

/** Work inside it commits or rolls back as one, and asks nothing of the database but through it. */
export type Transaction = Queryable & { readonly transactional: true }

export interface Database extends Queryable {
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Calls `heard` for each NOTIFY on `channel` until closed; reconnects by itself, and calls once after it did. */
  listen(channel: string, heard: () => void): Promise<void>
  close(): Promise<void>
}

const INT8 = 20
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 ? (text: string) => BigInt(text) : pg.types.getTypeParser(oid, format as 'text'),
}

export async function openDatabase(options: { url: string; connections?: number }): Promise<Database> {
  const pool = new pg.Pool({ connectionString: options.url, max: options.connections ?? 10, types })
  // An idle connection that breaks is replaced by the pool; whoever uses the next one sees the error, if any.
  pool.on('error', () => undefined)
  const listeners = new Set<{ close(): Promise<void> }>()
  const ask = async <Row>(client: pg.Pool | pg.PoolClient, text: string, values?: readonly unknown[]) =>
    (await client.query(text, values as unknown[] | undefined)).rows as Row[]
  const inside = new AsyncLocalStorage<{ open: boolean }>()
  /** As many such transactions as there are connections would wait for each other for ever. */
  const assertOutside = () => {
    if (inside.getStore()?.open)
      throw new Error('a transaction asks for a second connection; what it asks goes through its own (tx)')
  }
  return {
    async query<Row>(text: string, values?: readonly unknown[]) {
      assertOutside()
      return ask<Row>(pool, text, values)
    },
    async transaction(work) {
      assertOutside()
      const client = await pool.connect()
      const scope = { open: true }
      // A connection that breaks between two queries says so here; the next query says it to the caller.
      client.on('error', ignore)
      try {
        await client.query('begin')
        const tx: Transaction = { query: (text, values) => ask(client, text, values), transactional: true }
        const result = await inside.run(scope, () => work(tx))
        await client.query('commit')
        client.release()
        return result
      } catch (error) {
        // A connection whose rollback fails is broken: it is destroyed, which rolls back too.
        await client.query('rollback').then(
          () => client.release(),
          () => client.release(true),
        )
        throw error
      } finally {
        scope.open = false
        client.off('error', ignore)
      }
    },
    async listen(channel, heard) {
      const listener = await listen(options.url, channel, heard)
      listeners.add(listener)
    },
    async close() {
      await Promise.all([...listeners].map((listener) => listener.close()))
      await pool.end()
    },
  }
}

async function listen(url: string, channel: string, heard: () => void): Promise<{ close(): Promise<void> }> {
  let closed = false
  let client: pg.Client | undefined
  let retry: NodeJS.Timeout | undefined
  const connect = async () => {
    const mine = new pg.Client({ connectionString: url })
    client = mine
    mine.on('notification', heard)
    mine.on('error', ignore)
    try {
      await mine.connect()
      await mine.query(`listen ${pg.escapeIdentifier(channel)}`)
    } catch (error) {
      await mine.end().catch(ignore)
      throw error
    }
    // Only now: a connection that fails at once ends too, and one of the two is to be answered by another try.
    mine.on('end', again)
  }
  const again = () => {
    if (closed || retry) return
    retry = setTimeout(() => {
      retry = undefined
      connect().then(heard, again)
    }, 500)
  }
  await connect()
  return {
    async close() {
      closed = true
      clearTimeout(retry)
      await client?.end()
    },
  }
}

function ignore(): void {}

/**
 * Applies `server/sql/*.sql` in order. The migration's name is inserted first in its transaction, so of two
 * starters the primary key lets one through and the other waits, then skips.
 */
export async function migrate(
  database: Pick<Database, 'query' | 'transaction'>,
  folder = new URL('../sql/', import.meta.url),
): Promise<void> {
  await database.query(
    `create table if not exists migration (name text primary key, at timestamptz not null default now())`,
  )
  const names = (await readdir(folder)).filter((name) => /^\d+-.*\.sql$/.test(name)).sort()
  const done = new Set((await database.query<{ name: string }>('select name from migration')).map((row) => row.name))
  const unknown = [...done].filter((name) => !names.includes(name))
  if (unknown.length > 0)
    throw new Error(
      `the database was used by a newer version (${unknown.join(', ')}); start that version, or restore a backup of this one`,
    )
  for (const name of names) {
    if (done.has(name)) continue
    const sql = await readFile(fileURLToPath(new URL(name, folder)), 'utf8')
    await database.transaction(async (tx) => {
      const mine = await tx.query('insert into migration (name) values ($1) on conflict do nothing returning name', [
        name,
      ])
      if (mine.length > 0) await tx.query(sql)
    })
  }
}
