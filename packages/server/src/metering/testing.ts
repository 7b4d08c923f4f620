/** For tests: apps with money, sandboxes whose meters the test turns, and a clock that moves with them. */
import { openLedger, type Ledger } from '@perennial/ledger'
import { DEFAULT_PRICE_BOOK, newId, transferCode, type Micros, type PriceBook } from '@perennial/protocol'
import type { Reading } from '@perennial/sandbox/client'
import { appLimits, openApps, type App, type Apps } from '../apps/index.ts'
import { FakeClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { openDiagnostics, type Level } from '../diagnostics.ts'
import { openEvents } from '../events.ts'
import { openJobs } from '../jobs.ts'
import type { Services } from '../services.ts'
import { serverDatabase } from '../testing.ts'
import { accountOf, openAccounts, type Accounts } from './accounts.ts'
import type { RequestCount } from './advance.ts'
import { openMetering, type Metering } from './metering.ts'

export const PROVIDER = 'did:key:z6MkTest'
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** The kernel's side: counters that only grow, whoever is alive to read them. */
export class World {
  readonly #readings = new Map<string, { -readonly [K in keyof Reading]: Reading[K] }>()
  readonly #counts = new Map<string, { app: string; requests: bigint; bytesOut: bigint }>()
  readonly exhausted: { app: string; sentence: string }[] = []
  readonly #clock: FakeClock
  /** What a node would do then. */
  onExhausted: (app: string, sentence: string) => Promise<void> = () => Promise.resolve()

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  start(id: string, memoryBytes = 0n): void {
    const zero = { cpuNs: 0n, memoryBytes, egressBytes: 0n, diskBytes: 0n, oomKills: 0 }
    this.#readings.set(id, { id, boot: newId(), atMs: this.#clock.now().getTime(), ...zero })
  }

  remove(id: string): void {
    this.#readings.delete(id)
  }

  use(id: string, used: { cpuNs?: bigint; egressBytes?: bigint }): void {
    const reading = this.#readings.get(id)!
    reading.cpuNs += used.cpuNs ?? 0n
    reading.egressBytes += used.egressBytes ?? 0n
  }

  request(app: string, requests: bigint, bytesOut: bigint): void {
    const count = this.#counts.get(app) ?? { app, requests: 0n, bytesOut: 0n }
    count.requests += requests
    count.bytesOut += bytesOut
    this.#counts.set(app, count)
  }

  read(): Reading[] {
    return [...this.#readings.values()].map((reading) => ({ ...reading, atMs: this.#clock.now().getTime() }))
  }

  counts(): RequestCount[] {
    return [...this.#counts.values()].map((count) => ({ ...count }))
  }
}

export interface Bench {
  readonly services: Services
  readonly clock: FakeClock
  readonly ledger: Ledger
  readonly accounts: Accounts
  readonly apps: Apps
  readonly world: World
  readonly priceBook: PriceBook
  metering: Metering
  /** Opens metering anew on what the database knows, as a node does that was killed. */
  restart(changed?: { provider: string }): Promise<void>
  app(money?: Micros): Promise<App>
  pay(name: string, micros: Micros): Promise<void>
  balances(app: string): Promise<{ purse: Micros; held: Micros; clearing: Micros; provider: Micros }>
  /** What must always hold: the books are sound, and clearing accounts are empty. */
  assertSound(): Promise<void>
}

export interface BenchOptions {
  readonly priceBook?: PriceBook
  readonly level?: Level
  readonly crash?: (point: string) => void
  readonly environment?: Record<string, string>
}

export async function withBench(work: (bench: Bench) => Promise<void>, options: BenchOptions = {}): Promise<void> {
  await using served = await serverDatabase()
  const { database } = served
  // For checks: a test may break the database's own.
  const query = database.query.bind(database)
  const clock = new FakeClock()
  const diagnostics = openDiagnostics({ level: options.level ?? 'error' })
  const jobs = openJobs({ database, clock, diagnostics, owner: 'test' })
  const events = openEvents({ jobs, clock })
  const services: Services = {
    config: readConfig(options.environment ?? {}),
    database,
    events,
    jobs,
    clock,
    diagnostics,
  }
  await using ledger = await openLedger({ url: served.url, now: () => clock.now().getTime() })
  const accounts = openAccounts(ledger)
  const apps = openApps(services)
  const world = new World(clock)
  const priceBook = options.priceBook ?? DEFAULT_PRICE_BOOK
  const open = (provider = PROVIDER) =>
    openMetering(services, {
      ledger,
      accounts,
      apps,
      priceBook,
      limits: appLimits(services.config),
      provider,
      sources: {
        read: () => Promise.resolve(world.read()),
        requests: () => Promise.resolve(world.counts()),
        exhausted(app, sentence) {
          world.exhausted.push({ app, sentence })
          return world.onExhausted(app, sentence)
        },
      },
      ...(options.crash && { crash: options.crash }),
    })
  let made = 0
  const bench: Bench = {
    services,
    clock,
    ledger,
    accounts,
    apps,
    world,
    priceBook,
    metering: await open(),
    async restart(changed) {
      bench.metering = await open(changed?.provider)
    },
    async app(money = 0n) {
      const name = `app${made++}`
      const origin = { slug: `${name}--octo`, url: `https://forge.example/octo/${name}`, forge: 'forge.example' }
      const app = await database.transaction((tx) => apps.create(tx, { ...origin, owner: 'octo', name }, {}))
      if (money > 0n) await bench.pay(accountOf.purse(app.id), money)
      return app
    },
    async pay(name, amount) {
      const [debit, credit] = [await accounts.id(accountOf.rail('push-button')), await accounts.id(name)]
      await ledger.post({ id: newId(), debit, credit, amount, code: transferCode('contribution-purse') })
    },
    async balances(app) {
      const purse = await accounts.balance(accountOf.purse(app))
      const clearing = await accounts.balance(accountOf.clearing(app))
      const provider = await accounts.balance(accountOf.provider(PROVIDER))
      return { purse: purse.balance, held: purse.held, clearing: clearing.balance, provider: provider.balance }
    },
    async assertSound() {
      const broken = await ledger.verify()
      const rows = await query<{ name: string }>(
        `select name from ledger.account where (name like 'app/%/clearing' and balance <> 0)
            or (name not like 'rail/%' and balance - held < 0)`,
      )
      if (broken.length > 0 || rows.length > 0)
        throw new Error(`broken: ${[...broken, ...rows.map((row) => row.name)].join(', ')}`)
    },
  }
  await work(bench)
}

/** Moves time by whole steps, sampling after each, as the node's loop does. */
export async function run(bench: Bench, ms: number, stepMs = 60_000, each?: () => void): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    await bench.clock.advance(Math.min(stepMs, left))
    each?.()
    await bench.metering.sample()
  }
}
