import assert from 'node:assert/strict'
import test from 'node:test'
import pg from 'pg'
import { startCluster, testDatabase, type Template } from './postgres.ts'

const fruit: Template = {
  name: 'fruit',
  migrate: (client) => client.query("create table fruit (name text); insert into fruit values ('apple')"),
}

test('each test gets its own copy of the template', async () => {
  await using one = await testDatabase(fruit)
  await using two = await testDatabase(fruit)
  await one.pool.query(`insert into fruit values ('pear')`)
  assert.equal((await one.pool.query('select from fruit')).rowCount, 2)
  assert.equal((await two.pool.query('select from fruit')).rowCount, 1)
})

test('many tests may ask for the same template at once', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => testDatabase({ ...fruit })))
  for (const database of all) {
    assert.equal((await database.pool.query('select from fruit')).rowCount, 1)
    await database[Symbol.asyncDispose]()
  }
})

test('a killed cluster comes back with every committed row', async () => {
  await using cluster = await startCluster()
  const before = await connect(cluster.url)
  await before.query('create table kept (n int); insert into kept values (1)')
  await cluster.kill9()
  await cluster.restart()
  const after = await connect(cluster.url)
  assert.equal((await after.query('select from kept')).rowCount, 1)
  await after.end()
})

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {}) // The kill cuts it.
  await client.connect()
  return client
}
