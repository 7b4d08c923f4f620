import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { testDatabase } from '@perennial/testnet/postgres'
import pg from 'pg'
import { openDatabase } from './database.ts'

test('a connection that breaks in the middle of a transaction fails that transaction alone', async () => {
  await using served = await testDatabase()
  const database = await openDatabase({ url: served.url })
  await using operator = await openOther(served.url)
  const cut = database.transaction(async (tx) => {
    const [mine] = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
    await operator.query('select pg_terminate_backend($1)', [mine!.pid])
    await sleep(100)
    await tx.query('select 1')
  })
  await assert.rejects(cut)
  assert.deepEqual(await database.transaction((tx) => tx.query('select 1 as one')), [{ one: 1 }])
  await database.close()
})

test('a transaction that asks for a second connection fails, before a crowd of them waits for ever', async () => {
  await using served = await testDatabase()
  const database = await openDatabase({ url: served.url, connections: 2 })
  const twice = () => database.transaction(async () => database.query('select 1'))
  const nested = () => database.transaction(async () => database.transaction(async (tx) => tx.query('select 1')))
  for (const one of await Promise.allSettled([twice(), twice(), nested(), nested()])) {
    assert.equal(one.status, 'rejected')
    assert.match(String(one.reason), /asks for a second connection/)
  }
  // What a transaction began and did not wait for may ask once it is over.
  const { promise: over, resolve: end } = Promise.withResolvers<void>()
  let later: Promise<unknown> | undefined
  await database.transaction(async (tx) => {
    later = over.then(() => database.query('select 1 as one'))
    return tx.query('select 1')
  })
  end()
  assert.deepEqual(await later, [{ one: 1 }])
  await database.close()
})

test('a listener that could not come back for a while listens once, and hears again', async () => {
  await using served = await testDatabase()
  const database = await openDatabase({ url: served.url })
  let heard = 0
  await database.listen('news', () => heard++)
  const [{ name } = { name: '' }] = await database.query<{ name: string }>('select current_database() as name')
  const operator = new pg.Client({ connectionString: served.url.replace(`/${name}?`, '/postgres?') })
  await operator.connect()
  const listeners = async () =>
    (
      await operator.query<{ pid: number }>(
        `select pid from pg_stat_activity where datname = $1 and query like 'listen %'`,
        [name],
      )
    ).rows
  await operator.query(`alter database ${pg.escapeIdentifier(name)} allow_connections false`)
  for (const { pid } of await listeners()) await operator.query('select pg_terminate_backend($1)', [pid])
  await sleep(1_800)
  await operator.query(`alter database ${pg.escapeIdentifier(name)} allow_connections true`)
  while (heard === 0) await sleep(20)
  await sleep(600)
  assert.equal((await listeners()).length, 1)
  const before = heard
  await database.query('notify news')
  while (heard === before) await sleep(20)
  await operator.end()
  await database.close()
})

async function openOther(url: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}
