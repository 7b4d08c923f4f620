/**
 * The child of ../killed.test.ts: a node's metering over a world that goes on without it, killed at a named point.
 *
 * The world is a table of sandboxes with start and stop times; their meters are functions of time, so what they
 * used is known without asking the node. An hour of that world is a second.
 */
import { writeSync } from 'node:fs'
import { openLedger } from '@perennial/ledger'
import { DEFAULT_PRICE_BOOK, deriveId, transferCode } from '@perennial/protocol'
import { appLimits, openApps } from '../../apps/index.ts'
import type { Clock } from '../../clock.ts'
import { readConfig } from '../../config.ts'
import { openDatabase } from '../../database.ts'
import { openDiagnostics } from '../../diagnostics.ts'
import { openEvents } from '../../events.ts'
import { openJobs } from '../../jobs.ts'
import { accountOf, openAccounts } from '../accounts.ts'
import { openMetering } from '../metering.ts'
import { serial } from '../../serial.ts'

export const NS_PER_MS = 100_000n // a tenth of a core
export const BYTES_PER_MS = 10n
const POOR = 200n
const SPEED = 3_600

export interface Sandbox {
  readonly id: string
  readonly app: string
  readonly started: bigint
  readonly stopped: bigint | null
}

export interface Orders {
  readonly url: string
  /** Real time at which the world began. */
  readonly beganMs: number
  /** Where to die, and at which passing; `never`: by a signal from outside. */
  readonly point: string
  readonly passing: number
  readonly rich: readonly string[]
  /** Made and emptied in this life. */
  readonly poor: string
  /** The end of the world: settle everything and go. */
  readonly finalMs: number | null
}

if (process.argv[2]) await live(JSON.parse(process.argv[2]) as Orders)

async function live(orders: Orders): Promise<void> {
  const now = () => Math.floor(orders.finalMs ?? orders.beganMs + (Date.now() - orders.beganMs) * SPEED)
  const clock: Clock = {
    now: () => new Date(now()),
    monotonicMs: now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms / SPEED)),
  }
  let left = orders.passing
  const crash = (point: string) => {
    if (point !== orders.point || --left > 0) return
    writeSync(1, `${point}\n`)
    process.kill(process.pid, 'SIGKILL')
  }
  const database = await openDatabase({ url: orders.url })
  const diagnostics = openDiagnostics({ level: 'error' })
  const jobs = openJobs({ database, clock, diagnostics, owner: 'child' })
  const events = openEvents({ jobs, clock })
  const services = { config: readConfig({}), database, events, jobs, clock, diagnostics }
  const ledger = await openLedger({ url: orders.url, now })
  const accounts = openAccounts(ledger)
  const apps = openApps(services)

  // A kernel stops a sandbox and reads it one after the other; so does this world.
  const kernel = serial()
  const sandboxes = () => database.query<Sandbox>('select id, app, started, stopped from world where not removed')
  const stop = async (id: string) => {
    await kernel(() => database.query('update world set stopped = coalesce(stopped, $2) where id = $1', [id, now()]))
    await metering.detach(id)
    await database.query('update world set removed = true where id = $1', [id])
  }
  const start = async (app: string) => {
    const id = deriveId('sandbox', app, `${now()} ${Math.random()}`)
    const refused = await metering.attach({ app, instance: id, payer: accountOf.purse(app) })
    if (refused === null)
      await database.query('insert into world (id, app, started) values ($1, $2, $3)', [id, app, now()])
  }
  const halt = async (app: string) => {
    for (const sandbox of await sandboxes()) if (sandbox.app === app) await stop(sandbox.id)
    await metering.settle(app)
  }
  const metering = await openMetering(services, {
    ledger,
    accounts,
    apps,
    priceBook: DEFAULT_PRICE_BOOK,
    limits: appLimits(services.config),
    provider: 'did:key:z6MkTest',
    sources: {
      read: () =>
        kernel(async () => {
          const atMs = now()
          return (await sandboxes()).map(({ id, started, stopped }) => {
            const lived = (stopped ?? BigInt(atMs)) - started
            const levels = { memoryBytes: 50_000_000n, diskBytes: 0n, oomKills: 0 }
            return { id, boot: id, atMs, cpuNs: lived * NS_PER_MS, egressBytes: lived * BYTES_PER_MS, ...levels }
          })
        }),
      requests: () => Promise.resolve([]),
      exhausted: halt,
    },
    crash,
  })
  const pay = async (app: string, amount: bigint) => {
    const [debit, credit] = [await accounts.id(accountOf.rail('test')), await accounts.id(accountOf.purse(app))]
    await ledger.post({ id: deriveId('gift', app), debit, credit, amount, code: transferCode('contribution-purse') })
  }

  // What a node does first: sandboxes that were stopped and not removed, and marks of ones that never started.
  for (const sandbox of await sandboxes()) if (sandbox.stopped !== null) await stop(sandbox.id)
  const lost = await database.query<{ id: string }>(
    'select instance as id from meter_mark where instance not in (select id::text from world where not removed)',
  )
  for (const { id } of lost) await metering.detach(id)
  if (orders.finalMs !== null) {
    for (const sandbox of await sandboxes()) await stop(sandbox.id)
    await metering.sample()
    for (const app of await apps.ids()) await metering.settle(app)
    for (const app of await apps.ids()) await metering.collectRent(app)
    await metering.close()
    process.exit(0)
  }
  for (const app of orders.rich) {
    await pay(app, 500_000_000n)
    await metering.keep({ app, sizeBytes: 20_000_000_000 })
  }
  await pay(orders.poor, POOR)
  await start(orders.poor)
  for (let turn = 0; ; turn++) {
    await metering.sample()
    const app = orders.rich[turn % orders.rich.length]!
    if (turn % 3 === 0) await halt(app)
    if (turn % 3 === 1) for (const rich of orders.rich) await start(rich)
    if (turn % 3 === 2) await metering.collectRent(app)
    await clock.sleep(20_000)
  }
}
