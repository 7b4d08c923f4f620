/** The SQL and the naive model get the same random batches and must agree on every answer and every row. */
import assert from 'node:assert/strict'
import test from 'node:test'
import pg from 'pg'
import { STATUSES, type Event, type Status } from '../event.ts'
import { sendBatch } from '../post.ts'
import { types } from '../types.ts'
import { openWriter } from '../writer.ts'
import { asDatabaseRow, postToModel, type Model, type ModelRow } from './model.ts'
import { random, seeds, type Random } from './random.ts'
import { testLedger } from './test-ledger.ts'

const BATCHES = 40
const START_MS = Date.UTC(2026, 0, 1)

test('post agrees with a naive model on every answer and every row', async (t) => {
  const seen = new Map<Status, number>()
  for (const seed of seeds(6)) {
    t.diagnostic(`seed ${seed}`)
    await compare(seed, seen).catch((error: unknown) => {
      throw new Error(`seed ${seed}: the ledger and the model differ; repeat with TEST_SEED=${seed}`, { cause: error })
    })
  }
  t.diagnostic([...seen].map(([status, n]) => `${status} ${n}`).join(', '))
  if (!process.env['TEST_SEED'])
    assert.deepEqual(
      STATUSES.filter((status) => !seen.has(status)),
      [],
      'statuses never seen',
    )
})

async function compare(seed: number, seen: Map<Status, number>): Promise<void> {
  const r = random(seed)
  let nowMs = START_MS
  await using t = await testLedger()
  const model: Model = { accounts: new Map(), rows: [] }
  for (let n = 1; n <= 10; n += 1) {
    const terms = {
      asset: n <= 8 ? 1 : 2,
      public: r.chance(0.4),
      floor: n <= 2 || n === 9 ? null : r.pick([0n, 0n, -50n]),
    }
    const id = await t.open(`account ${n}`, terms)
    model.accounts.set(id, { asset: terms.asset, floor: terms.floor, balance: 0n, held: 0n, version: 0n })
  }
  const writer = await openWriter({ url: t.database.url })
  const past: Event[][] = []
  for (let batch = 0; batch < BATCHES; batch += 1) {
    nowMs += r.below(20_000)
    const events =
      r.chance(0.1) && past.length > 0 ? r.pick(past) : randomBatch(r, past.flat(), openHolds(model), nowMs)
    past.push(events)
    const expected = postToModel(model, events, BigInt(Math.floor(nowMs / 1000)))
    const actual = await sendBatch(writer, events, nowMs)
    assert.deepEqual(actual, expected, `batch ${batch}`)
    for (const { status } of actual) seen.set(status, (seen.get(status) ?? 0) + 1)
  }
  await writer.close(Promise.resolve())
  await compareTables(t.database.url, model)
  assert.deepEqual(await t.ledger.verify(), [])
}

async function compareTables(url: string, model: Model): Promise<void> {
  const client = new pg.Client({ connectionString: url, types })
  await client.connect()
  const all = async (query: string): Promise<unknown[]> => (await client.query<Record<string, unknown>>(query)).rows
  const columns = `seq, id, kind, code, debit, credit, amount, ref, expires, debit_balance, debit_held, credit_balance, debit_version, credit_version`
  assert.deepEqual(await all(`select ${columns} from ledger.transfer order by seq`), model.rows.map(asDatabaseRow))
  assert.deepEqual(
    await all(`select id, asset, floor, balance, held, version from ledger.account order by id`),
    [...model.accounts].map(([id, account]) => ({ id, ...account })),
  )
  assert.deepEqual(
    await all(`select seq, debit, credit, amount, code, expires from ledger.hold order by seq`),
    openHolds(model).map(({ seq, debit, credit, amount, code, expires }) => ({
      seq,
      debit,
      credit,
      amount,
      code,
      expires,
    })),
  )
  await client.end()
}

function openHolds(model: Model): ModelRow[] {
  return model.rows.filter((row) => row.kind === 'hold' && !model.rows.some(({ ref }) => ref === row.seq))
}

/** A batch in which anything may refer to anything: to what was posted before, to itself, and to nothing. */
function randomBatch(r: Random, past: readonly Event[], open: readonly ModelRow[], nowMs: number): Event[] {
  const batch: Event[] = []
  const size = 1 + r.below(r.chance(0.2) ? 200 : 25)
  while (batch.length < size) {
    const known = [...past.slice(-150), ...batch]
    const event = r.chance(0.12) && known.length > 0 ? { ...r.pick(known) } : fresh(r, known, open, nowMs)
    if (r.chance(0.05)) mutate(r, event)
    event.linked = r.chance(0.3)
    batch.push(event)
  }
  if (r.chance(0.6)) batch.at(-1)!.linked = false
  return batch
}

function fresh(r: Random, known: readonly Event[], open: readonly ModelRow[], nowMs: number): Event {
  const event: Event = { id: r.uuid(), code: r.below(3) }
  const holds: readonly { id: string }[] = r.chance(0.6) ? open : known.filter((one) => one.kind === 'hold')
  event.kind = r.pick(['transfer', 'transfer', 'transfer', 'hold', 'hold', 'post', 'post', 'void', 'expire'])
  if (event.kind === 'transfer' || event.kind === 'hold') {
    event.debit = randomAccount(r)
    event.credit = randomAccount(r)
    event.amount = randomAmount(r)
    event.upTo = r.chance(0.2)
    if (event.kind === 'hold' && r.chance(0.5)) event.expires = new Date(nowMs - 5_000 + r.below(120_000))
    return event
  }
  event.ref =
    holds.length > 0 && r.chance(0.9) ? r.pick(holds).id : r.chance(0.5) ? r.uuid() : (known.at(-1)?.id ?? r.uuid())
  if (event.kind === 'post') {
    event.amount = randomAmount(r)
    event.upTo = r.chance(0.5)
  }
  return event
}

function randomAccount(r: Random): bigint {
  if (r.chance(0.01)) return 99n
  return BigInt(1 + (r.chance(0.9) ? r.below(8) : r.below(10))) // Mostly of one asset.
}

function randomAmount(r: Random): bigint {
  if (r.chance(0.02))
    return r.pick([0n, -1n, -(2n ** 63n), 2n ** 63n - 1n, 9_000_000_000_000_000n, 9_000_000_000_000_001n])
  return BigInt(1 + r.below(r.chance(0.3) ? 500 : 40))
}

/** Changes one field to something that may contradict the others. */
function mutate(r: Random, event: Event): void {
  const change = r.pick<Partial<Event>>([
    { amount: undefined },
    { amount: randomAmount(r) },
    { debit: undefined },
    { debit: randomAccount(r) },
    { credit: randomAccount(r) },
    { code: 7 },
    { ref: r.uuid() },
    { ref: undefined },
    { kind: r.pick(['transfer', 'hold', 'post', 'void', 'expire']) },
    { upTo: true },
    { expires: new Date(START_MS + r.below(1_000_000)) },
  ])
  Object.assign(event, change)
}
