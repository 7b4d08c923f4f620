/** Brings the schema `ledger` of a database to this version: the numbered files of sql/, each applied once. */
import { readdir, readFile } from 'node:fs/promises'
import type pg from 'pg'

/** The folder of the files, for those who hash or copy them. */
export const ledgerSql = new URL('../sql/', import.meta.url)

/**
 * Any number of processes may call this at once: the lock orders them, and a file's id is inserted before it runs, so
 * that no file runs twice. All or nothing: a failure leaves the schema as it was. The client must not be in a transaction.
 */
export async function migrateLedger(client: pg.ClientBase): Promise<void> {
  const files = (await readdir(ledgerSql)).filter((name) => /^\d{3}-.*\.sql$/.test(name)).toSorted()
  await client.query('begin')
  try {
    await client.query(`select pg_advisory_xact_lock(hashtextextended('perennial ledger migration', 0))`)
    await client.query(await sql('roles.sql'))
    await refuseNewer(client, files)
    for (const file of files) {
      const { rowCount } = await client.query('insert into migration (id) values ($1) on conflict do nothing', [file])
      if (rowCount) await client.query(await sql(file))
    }
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

async function refuseNewer(client: pg.ClientBase, files: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ id: string }>('select id from migration where not id = any ($1)', [files])
  if (rows[0])
    throw new Error(`the ledger's schema has ${rows[0].id}, which this code does not know; run the newer code`)
}

function sql(file: string): Promise<string> {
  return readFile(new URL(file, ledgerSql), 'utf8')
}
