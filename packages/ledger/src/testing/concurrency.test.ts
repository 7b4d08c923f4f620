/** Many callers, several writers, cut connections: each event still happens once. */
import { newId } from '@perennial/protocol'
import assert from 'node:assert/strict'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { LedgerFenced, LedgerUnavailable, openLedger, type Event } from '../index.ts'
import { BATCH_LIMIT } from '../queue.ts'
import { random, SCALE, seeds } from './random.ts'
import { event, testLedger, type TestLedger } from './test-ledger.ts'

test('eight callers who post overlapping ids create each once', async (t) => {
  const seed = seeds(1)[0]!
  t.diagnostic(`seed ${seed}`)
  const r = random(seed)
  await using l = await testLedger()
  const accounts = await someAccounts(l)
  const events = Array.from({ length: 300 * SCALE }, () =>
    event({ debit: accounts[0]!, credit: r.pick(accounts.slice(1)), amount: BigInt(1 + r.below(9)) }),
  )
  const created = new Map<string, number>()
  async function caller(): Promise<void> {
    for (let i = 0; i < events.length; i += 1) {
      const some = Array.from({ length: 1 + r.below(5) }, () => r.pick(events))
      for (const [j, { status }] of (await l.ledger.post(some)).entries()) {
        assert.ok(status === 'created' || status === 'exists', status)
        if (status === 'created') created.set(some[j]!.id, (created.get(some[j]!.id) ?? 0) + 1)
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, caller))
  assert.deepEqual(
    [...created.values()].filter((n) => n !== 1),
    [],
  )
  assert.equal(
    (await l.ledger.account('rail'))?.balance,
    -events.filter(({ id }) => created.has(id)).reduce((sum, { amount }) => sum + amount!, 0n),
  )
  assert.deepEqual(await l.ledger.verify(), [])
})

test('what waits becomes one batch', async () => {
  await using l = await testLedger()
  const [rail, purse] = await someAccounts(l)
  await Promise.all(
    Array.from({ length: 500 }, () => l.ledger.post(event({ debit: rail!, credit: purse!, amount: 1n }))),
  )
  const { rows } = await l.database.pool.query<{ n: number }>('select n from ledger.batch where last_seq > 0')
  assert.deepEqual(rows, [{ n: 500 }])
})

test('more events than a batch holds are posted in order, and no chain is cut', async () => {
  await using l = await testLedger()
  const [rail, purse, shop] = await someAccounts(l)
  const pairs: Event[] = Array.from({ length: BATCH_LIMIT / 2 + 1 }, () => [
    event({ debit: rail!, credit: purse!, amount: 1n, linked: true }),
    event({ debit: purse!, credit: shop!, amount: 1n, linked: true }),
    event({ debit: shop!, credit: rail!, amount: 1n }),
  ]).flat()
  const results = await l.ledger.post(pairs)
  assert.deepEqual(
    results.map(({ seq }) => seq),
    pairs.map((_, i) => BigInt(i + 1)),
  )
  const { rows } = await l.database.pool.query<{ n: number }>(
    'select n from ledger.batch where last_seq > 0 order by last_seq',
  )
  assert.deepEqual(
    rows.map(({ n }) => n % 3),
    [0, 0],
  )
  await assert.rejects(
    l.ledger.post(pairs.map((one, i) => ({ ...one, linked: i < pairs.length - 1 }))),
    /is longer than 8000/,
  )
})

test('a ledger opened twice: the older writer is refused and stops', async () => {
  await using l = await testLedger()
  const [rail, purse] = await someAccounts(l)
  const fenced: Error[] = []
  const older = await openLedger({ url: l.database.url, onFenced: (error) => fenced.push(error) })
  await older.post(event({ debit: rail!, credit: purse!, amount: 1n }))
  const newer = await openLedger({ url: l.database.url })

  await assert.rejects(older.post(event({ debit: rail!, credit: purse!, amount: 1n })), LedgerFenced)
  await assert.rejects(older.record({ topic: 1, document: 'late' }), LedgerFenced)
  assert.equal(fenced.length, 1)
  assert.equal((await newer.post(event({ debit: rail!, credit: purse!, amount: 1n })))[0]?.seq, 2n)
  await Promise.all([older.close(), newer.close()])
})

test('two writers that start while the other posts never both succeed', async () => {
  await using l = await testLedger()
  const [rail, purse] = await someAccounts(l)
  const acknowledged: string[] = []
  async function writer(): Promise<void> {
    const ledger = await openLedger({ url: l.database.url })
    try {
      for (let i = 0; i < 50; i += 1) {
        const one = event({ debit: rail!, credit: purse!, amount: 1n })
        await ledger.post(one)
        acknowledged.push(one.id)
      }
    } catch (error) {
      assert.ok(error instanceof LedgerFenced, String(error))
    } finally {
      await ledger.close()
    }
  }
  await Promise.all([writer(), sleep(20).then(writer), sleep(40).then(writer)])
  const { rows } = await l.database.pool.query<{ id: string }>('select id from ledger.transfer')
  assert.deepEqual(
    acknowledged.filter((id) => !rows.some((row) => row.id === id)),
    [],
  )
  await using after = await openLedger({ url: l.database.url })
  assert.deepEqual(await after.verify(), [])
})

test('a database that lets nobody in for a while is waited for, and then answers', async () => {
  await using l = await testLedger()
  const [rail, purse] = await someAccounts(l)
  const { rows } = await l.database.pool.query<{ name: string }>('select current_database() as name')
  const { name } = rows[0]!
  const operator = new pg.Client({ connectionString: l.database.url.replace(`/${name}?`, '/postgres?') })
  await operator.connect()
  await operator.query(`alter database ${name} allow_connections false`)
  await operator.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = 'perennial ledger writer' and datname = $1`,
    [name],
  )
  const posted = l.ledger.post({ id: newId(), code: 1, debit: rail!, credit: purse!, amount: 1n })
  await sleep(300)
  await operator.query(`alter database ${name} allow_connections true`)
  await operator.end()
  assert.equal((await posted)[0]?.status, 'created')
})

test('a cut connection loses nothing and repeats nothing', async () => {
  await using l = await testLedger()
  const [rail, purse] = await someAccounts(l)
  let cutting = true
  let cuts = 0
  async function cut(): Promise<void> {
    while (cutting) {
      await sleep(70)
      const { rowCount } = await l.database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = 'perennial ledger writer' and datname = current_database()`,
      )
      cuts += rowCount ?? 0
    }
  }
  const cutter = cut()
  const posted = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const ids: string[] = []
      for (let i = 0; i < 150 * SCALE; i += 1) {
        const id = newId()
        const [result] = await l.ledger.post({ id, code: 1, debit: rail!, credit: purse!, amount: 1n })
        assert.ok(result?.status === 'created' || result?.status === 'exists', String(result?.status))
        ids.push(id)
      }
      return ids
    }),
  )
  cutting = false
  await cutter
  assert.ok(cuts > 3, `only ${cuts} cuts`)
  assert.equal((await l.ledger.account(purse!))?.balance, BigInt(posted.flat().length))
  assert.deepEqual(await l.ledger.verify(), [])
})

test('closing answers what was asked, and refuses what is asked later', async () => {
  await using l = await testLedger()
  const [rail, purse] = await someAccounts(l)
  const other = await openLedger({ url: l.database.url })
  const asked = other.post(event({ debit: rail!, credit: purse!, amount: 1n }))
  await other.close()
  assert.equal((await asked)[0]?.status, 'created')
  await assert.rejects(other.post(event({ debit: rail!, credit: purse!, amount: 1n })), LedgerUnavailable)
})

/** A rail without a floor, and five purses. */
async function someAccounts(l: TestLedger): Promise<bigint[]> {
  const rail = await l.open('rail', { floor: null })
  return [rail, ...(await Promise.all([1, 2, 3, 4, 5].map((n) => l.open(`purse ${n}`))))]
}
