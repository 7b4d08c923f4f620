import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { openLedger } from '@perennial/ledger'
import { DEFAULT_PRICE_BOOK, newId, rate, type Meter } from '@perennial/protocol'
import { serverDatabase } from '../testing.ts'
import { BYTES_PER_MS, NS_PER_MS, type Orders, type Sandbox } from './testing/killed-node.ts'

const CHILD = fileURLToPath(new URL('testing/killed-node.ts', import.meta.url))
const SCALE = Number(process.env['TEST_SCALE'] ?? 1)
const POINTS = [
  'stored',
  'posted',
  'marked',
  'hold-stored',
  'hold-posted',
  'hold-answered',
  'attached',
  'detached',
  'exhausted',
  'rent-stored',
  'rent-posted',
  'never',
]

test('reading, charge, freeze: a node killed between any two steps neither loses nor doubles', async (t) => {
  await using served = await serverDatabase()
  const { database, url } = served
  await database.query(
    'create table world (id uuid primary key, app uuid, started bigint, stopped bigint, removed boolean default false)',
  )
  const newApp = async (name: string) => {
    const id = newId()
    await database.query(
      `insert into app (id, slug, url, forge, owner, name, created_at, state, state_since)
       values ($1, $2, $2, 'forge.example', 'octo', $2, now(), 'funded', now())`,
      [id, name],
    )
    return id
  }
  const rich = [await newApp('rich-1'), await newApp('rich-2')]
  const poor: string[] = []
  const beganMs = Date.now()
  const histogram = new Map<string, number>()
  for (let kill = 0; kill < 2 * POINTS.length * SCALE; kill++) {
    const id = await newApp(`poor-${kill}`)
    poor.push(id)
    const point = POINTS[kill % POINTS.length]!
    // A life has one poor app to exhaust; every other point is passed often.
    const passing = point === 'exhausted' ? 1 : 1 + Math.floor(kill / POINTS.length) * 2
    const killed = await live({ url, beganMs, point, passing, rich, poor: id, finalMs: null })
    histogram.set(killed, (histogram.get(killed) ?? 0) + 1)
  }
  const finalMs = beganMs + (Date.now() - beganMs) * 3_600
  await live({ url, beganMs, point: 'none', passing: 1, rich, poor: rich[0]!, finalMs })
  t.diagnostic(`kills: ${[...histogram].map(([point, times]) => `${point} ${times}`).join(', ')}`)
  for (const point of POINTS) assert.ok(histogram.has(point), `no kill at ${point}`)

  // The oracle is the world: how long each sandbox lived. The node's tables must say the same, to the nanosecond.
  const world = await database.query<Sandbox>('select id, app, started, stopped from world')
  const lines = await database.query<{ app: string; meter: Meter; used: string; micros: bigint }>(
    `select app, meter, sum(used)::text as used, sum(micros)::bigint as micros
       from usage_line join usage_interval as usage on usage.id = usage_line.usage group by 1, 2`,
  )
  const of = (app: string, meter: Meter) => lines.find((line) => line.app === app && line.meter === meter)
  await using ledger = await openLedger({ url })
  const balance = async (name: string) => (await ledger.account(name))?.balance ?? 0n
  let charged = 0n
  for (const app of [...rich, ...poor]) {
    const lived = world.filter((one) => one.app === app).reduce((sum, one) => sum + (one.stopped! - one.started), 0n)
    assert.equal(BigInt(of(app, 'cpu')?.used ?? 0), lived * NS_PER_MS, `CPU of ${app}`)
    assert.equal(BigInt(of(app, 'egress')?.used ?? 0), lived * BYTES_PER_MS, `egress of ${app}`)
    charged += lines.reduce((sum, line) => (line.app === app ? sum + line.micros : sum), 0n)
  }
  for (const app of rich) {
    for (const meter of ['cpu', 'memory', 'egress'] as const) {
      const { used, micros } = of(app, meter)!
      assert.equal(micros, rate({ usage: BigInt(used), price: DEFAULT_PRICE_BOOK.prices[meter], carried: 0n }).micros)
    }
  }
  // Two minutes of a tenth of a core cost more than a poor app has: it is charged all of it, then it stands still.
  for (const app of poor) {
    const livedMs = world.filter((one) => one.app === app).reduce((sum, one) => sum + (one.stopped! - one.started), 0n)
    const rest = await balance(`app/${app}/purse`)
    if (livedMs > 600_000n) assert.equal(rest, 0n, `what is left to ${app}`)
    if (livedMs === 0n) assert.equal(of(app, 'cpu'), undefined)
  }
  const [rent] = await database.query<{ micros: bigint; unposted: bigint }>(
    `select sum(from_purse)::bigint as micros, count(*) filter (where posted_at is null) as unposted from rent_charge`,
  )
  assert.deepEqual(await ledger.verify(), [])
  assert.equal(await balance('provider/did:key:z6MkTest'), charged + rent!.micros)
  const purses = await Promise.all([...rich, ...poor].map((app) => balance(`app/${app}/purse`)))
  const left = purses.reduce((sum, one) => sum + one, 0n)
  assert.equal(left, -(await balance('rail/test')) - charged - rent!.micros)
  const leftOver = await database.query(
    `select 'hold' from ledger.hold union all select 'clearing' from ledger.account where name like '%/clearing' and balance <> 0
     union all select 'unposted' from usage_interval where posted_at is null union all select 'mark' from meter_mark
     union all select 'hold row' from usage_hold where not resolved`,
  )
  assert.deepEqual([leftOver, rent!.unposted], [[], 0n])
  t.diagnostic(`${world.length} sandboxes, ${poor.length} frozen apps, ${charged} micros charged`)
})

/** Runs a child until it dies; says where it died. */
async function live(orders: Orders): Promise<string> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(orders)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let point = ''
  child.stdout.on('data', (text: Buffer) => (point += text.toString()))
  // Long enough to come to any point, then wherever it is; the last life ends by itself.
  const timeoutMs = orders.point === 'never' ? 1_500 + 2_500 * Math.random() : 30_000
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.once('close', (exit, by) => resolve([exit, by])),
  )
  clearTimeout(timer)
  assert.ok(signal === 'SIGKILL' || code === 0, `the child ended by itself: ${code} ${signal}`)
  return point.trim() || 'never'
}
