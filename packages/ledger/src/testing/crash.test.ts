/** SIGKILL to PostgreSQL under full load: whatever was acknowledged is there, once, and nothing is there by half. */
import { newId } from '@perennial/protocol'
import assert from 'node:assert/strict'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { startCluster } from '@perennial/testnet/postgres'
import { migrateLedger, openLedger, type Event, type Ledger } from '../index.ts'
import { random, SCALE, seeds, type Random } from './random.ts'

const KILLS = 4 * SCALE
const CALLERS = 16

test(`after ${KILLS} kills of the database under load, nothing acknowledged is lost or doubled`, async (t) => {
  const seed = seeds(1)[0]!
  t.diagnostic(`seed ${seed}`)
  const r = random(seed)
  await using cluster = await startCluster()
  await migrate(cluster.url)
  await using ledger = await openLedger({ url: cluster.url })
  const rail = await ledger.openAccount({ name: 'rail', asset: 1, public: true, floor: null })
  const purses = await Promise.all(
    [0, 1, 2, 3].map((n) => ledger.openAccount({ name: `purse ${n}`, asset: 1, public: n % 2 === 0, floor: 0n })),
  )

  const acknowledged = new Map<string, { amount: bigint; linkedTo?: string }>()
  let running = true
  const callers = Array.from({ length: CALLERS }, () =>
    call({ ledger, rail, purses, r, acknowledged, running: () => running }),
  )
  for (let kill = 0; kill < KILLS; kill += 1) {
    const last = acknowledged.size
    while (acknowledged.size === last) await sleep(5) // Killing what is not yet under load again shows nothing.
    await sleep(r.below(300))
    const before = acknowledged.size
    await cluster.kill9()
    await cluster.restart()
    t.diagnostic(`kill ${kill + 1} after ${before} acknowledged transfers`)
  }
  await sleep(200)
  running = false
  await Promise.all(callers)

  const rows = new Map((await allRows(ledger)).map((row) => [row.id, row.amount]))
  const lost = [...acknowledged].filter(([id, { amount }]) => rows.get(id) !== amount)
  assert.deepEqual(lost, [], 'acknowledged, but not in the ledger')
  const half = [...acknowledged].filter(([, { linkedTo }]) => linkedTo && !rows.has(linkedTo))
  assert.deepEqual(half, [], 'half a chain')
  assert.equal(rows.size, acknowledged.size, 'every row was acknowledged to somebody in the end')
  assert.deepEqual(await ledger.verify(), [])
  t.diagnostic(`${acknowledged.size} acknowledged, 0 lost, 0 doubled`)
})

interface Load {
  ledger: Ledger
  rail: bigint
  purses: bigint[]
  r: Random
  acknowledged: Map<string, { amount: bigint; linkedTo?: string }>
  running: () => boolean
}

/** Pays in, in pairs that stand or fall together, and sometimes asks again what was answered already. */
async function call({ ledger, rail, purses, r, acknowledged, running }: Load): Promise<void> {
  while (running()) {
    const [one, two] = [newId(), newId()]
    const amount = BigInt(1 + r.below(1000))
    const pair: Event[] = [
      { id: one, code: 3, debit: rail, credit: r.pick(purses), amount, linked: true },
      { id: two, code: 1, debit: rail, credit: r.pick(purses), amount },
    ]
    const results = await ledger.post(pair)
    for (const { status } of results) assert.ok(status === 'created' || status === 'exists', status)
    acknowledged.set(one, { amount, linkedTo: two }).set(two, { amount, linkedTo: one })
    if (r.chance(0.1))
      assert.deepEqual(
        (await ledger.post(pair)).map(({ status }) => status),
        ['exists', 'exists'],
      )
  }
}

async function allRows(ledger: Ledger): Promise<{ id: string; amount: bigint }[]> {
  const all = []
  for (let seq = 0n; ;) {
    const rows = await ledger.after(seq, 10_000)
    all.push(...rows)
    if (rows.length === 0) return all
    seq = rows.at(-1)!.seq
  }
}

async function migrate(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await migrateLedger(client)
  await client.end()
}
