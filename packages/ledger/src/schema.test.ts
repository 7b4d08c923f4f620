import assert from 'node:assert/strict'
import test from 'node:test'
import pg from 'pg'
import { startCluster, testDatabase } from '@perennial/testnet/postgres'
import { migrateLedger, openLedger } from './index.ts'

test('many processes may migrate at once, in one database and in several of a new cluster', async () => {
  await using cluster = await startCluster()
  const names = ['one', 'two', 'three']
  await using admin = await connect(cluster.url)
  for (const name of names) await admin.query(`create database ${name}`)
  const urls = names.map((name) => cluster.url.replace('/postgres?', `/${name}?`))
  await Promise.all([...urls, ...urls, ...urls].map(migrate))
  await Promise.all(urls.map(migrate)) // Nothing left to do.
  for (const url of urls) {
    await using client = await connect(url)
    const { rows } = await client.query<{ n: number }>('select count(*)::int as n from ledger.migration')
    assert.equal(rows[0]?.n, 7)
  }
})

test('a database owner who is no superuser can migrate and open a ledger', async () => {
  await using database = await testDatabase()
  const [name, owner] = [new URL(database.url.replace('@/', '@x/')).pathname.slice(1), `owner_${process.pid}`]
  await database.pool.query(`create role ${owner} login createrole; alter database ${name} owner to ${owner}`)
  try {
    const url = database.url.replace('//postgres@', `//${owner}@`)
    await migrate(url)
    await using ledger = await openLedger({ url })
    assert.equal(await ledger.openAccount({ name: 'rail', asset: 1, public: true, floor: null }), 1n)
  } finally {
    await database.pool.query(
      `alter database ${name} owner to postgres; reassign owned by ${owner} to postgres; drop owned by ${owner}; drop role ${owner}`,
    )
  }
})

test('old code refuses a schema that newer code made', async () => {
  await using database = await testDatabase()
  await migrate(database.url)
  await database.pool.query(`insert into ledger.migration values ('999-of-tomorrow.sql')`)
  await assert.rejects(migrate(database.url), /999-of-tomorrow.sql, which this code does not know; run the newer code/)
})

async function migrate(url: string): Promise<void> {
  await using client = await connect(url)
  await migrateLedger(client)
}

async function connect(url: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}
