/** The database itself refuses what code should never try. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { event, testLedger, type TestLedger } from './test-ledger.ts'

const TABLES = ['account', 'fence', 'transfer', 'hold', 'record', 'batch', 'migration']

test('the writer may post, and cannot touch a table', async () => {
  await using t = await testLedger()
  await t.open('rail')
  for (const table of TABLES) {
    await refusesEachWrite(t, 'ledger_writer', table)
    await refusesEachWrite(t, 'ledger_reader', table)
  }
})

test('the reader may look, and cannot post', async () => {
  await using t = await testLedger()
  await as(t, 'ledger_reader', 'select from ledger.broken')
  for (const call of [
    `ledger.post(0, '{}', '{}', '{}', '{}', '{}')`,
    `ledger.open_account('x', 1::smallint, false, null)`,
    `ledger.record(0, 1::smallint, sha256('x'))`,
    `ledger.take_epoch()`,
  ]) {
    await assert.rejects(as(t, 'ledger_reader', `select ${call}`), /permission denied for function/)
  }
})

test('someone without a role of the ledger sees nothing of it', async () => {
  await using t = await testLedger()
  await assert.rejects(as(t, 'pg_signal_backend', 'select from ledger.account'), /permission denied for schema ledger/)
})

test('history cannot be changed, not even by its owner', async () => {
  await using t = await testLedger()
  const [rail, purse] = [await t.open('rail', { floor: null }), await t.open('purse')]
  await t.ledger.post(event({ debit: rail, credit: purse, amount: 1n }))
  await t.ledger.record({ topic: 1, document: 'genesis' })
  for (const table of ['transfer', 'record', 'batch']) {
    await assert.rejects(as(t, 'ledger_owner', `update ledger.${table} set at = now()`), /append-only/)
  }
  for (const table of ['transfer', 'record', 'batch', 'fence', 'account']) {
    await assert.rejects(as(t, 'ledger_owner', `delete from ledger.${table}`), /append-only/)
    await assert.rejects(as(t, 'ledger_owner', `truncate ledger.${table}`), /append-only/)
  }
  await assert.rejects(as(t, 'ledger_owner', 'update ledger.account set held = 2 where id = 2'), /above_floor/)
})

test('a function of the ledger finds its own tables, whatever the caller puts in the way', async () => {
  await using t = await testLedger()
  const id = await as(
    t,
    'ledger_writer',
    `create temporary table account (id bigint, name text, asset smallint, public boolean, floor bigint);
     insert into pg_temp.account values (666, 'rail', 1, false, null);
     set local search_path = pg_temp, ledger;
     select ledger.open_account('rail', 1::smallint, false, null) as id`,
  )
  assert.equal(id, '1')
})

async function refusesEachWrite(t: TestLedger, role: string, table: string): Promise<void> {
  const column = { account: 'balance', fence: 'epoch', migration: 'id', hold: 'amount' }[table] ?? 'leaf'
  const name = table === 'batch' ? 'n' : column
  for (const write of [
    `insert into ledger.${table} default values`,
    `update ledger.${table} set ${name} = ${name}`,
    `delete from ledger.${table}`,
    `truncate ledger.${table}`,
    `drop table ledger.${table}`,
  ]) {
    await assert.rejects(as(t, role, write), /permission denied|must be owner/, `${role}: ${write}`)
  }
}

/** Runs statements as that role; returns the last one's `id`, if it has one. */
async function as(t: TestLedger, role: string, sql: string): Promise<unknown> {
  const client = await t.database.pool.connect()
  try {
    await client.query(`begin; set local role ${role}`)
    const result = (await client.query(sql)) as unknown as { rows: { id?: unknown }[] } | { rows: { id?: unknown }[] }[]
    return (Array.isArray(result) ? result.at(-1) : result)?.rows[0]?.id
  } finally {
    await client.query('rollback')
    client.release()
  }
}
