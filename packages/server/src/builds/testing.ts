/** For tests: everything that a build needs, all of it real: sandboxd, git remotes, the doors, PostgreSQL, the ledger. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLedger, type Ledger } from '@perennial/ledger'
import { DEFAULT_PRICE_BOOK, isRefusal, newId, recordTopic, transferCode, type Micros } from '@perennial/protocol'
import { sandboxClient, type SandboxClient } from '@perennial/sandbox/client'
import { openTestSandbox, type TestSandbox } from '@perennial/sandbox/testing'
import { gitRemote, type Files, type GitRemote } from '@perennial/testnet/git-remote'
import {
  appLimits,
  openApps,
  openConfig,
  openLogs,
  type App,
  type AppConfig,
  type Apps,
  type Logs,
} from '../apps/index.ts'
import { systemClock as clock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { openDatabase } from '../database.ts'
import { openDiagnostics } from '../diagnostics.ts'
import { openEvents } from '../events.ts'
import { openConfigKey } from '../keys.ts'
import { openJobs } from '../jobs.ts'
import { accountOf, ALLOWANCE, openAccounts, openMetering, type Accounts, type Metering } from '../metering/index.ts'
import { openOutbound, type Outbound } from '../outbound/index.ts'
import type { Services } from '../services.ts'
import { parseRepository } from '../source/index.ts'
import { serverDatabase } from '../testing.ts'
import { openBuilds, type Builds, type Deployment } from './index.ts'

export const BUILDER = 'did:key:z6MkBuilder'
/** Enough for any build of a test. */
export const MONEY = 5_000_000n

/** Where a node of a test finds what outlives it. */
export interface Place {
  readonly databaseUrl: string
  readonly socket: string
  readonly environment: Readonly<Record<string, string>>
}

/** As much of a node as builds things. */
export interface Builder {
  readonly services: Services
  readonly client: SandboxClient
  readonly outbound: Outbound
  readonly ledger: Ledger
  readonly accounts: Accounts
  readonly apps: Apps
  readonly logs: Logs
  readonly settings: AppConfig
  readonly metering: Metering
  readonly builds: Builds
  /** Twice is once. */
  close(): Promise<void>
}

export async function openBuilder(place: Place, crash?: (point: string) => void): Promise<Builder> {
  const database = await openDatabase({ url: place.databaseUrl })
  const diagnostics = openDiagnostics({ level: 'error' })
  const config = readConfig(place.environment)
  const client = sandboxClient({ socket: place.socket })
  const { doorAddress, subnet } = await client.probe()
  const jobs = openJobs({ database, clock, diagnostics, owner: 'builder' })
  const services = { config, database, clock, diagnostics, jobs, events: openEvents({ jobs, clock }) }
  const outbound = await openOutbound(services, { doorAddress, subnet })
  const ledger = await openLedger({ url: place.databaseUrl })
  const accounts = openAccounts(ledger)
  const apps = openApps(services)
  const keys = join(config.data, 'keys')
  mkdirSync(keys, { recursive: true })
  const settings = openConfig(services, { key: await openConfigKey(keys) })
  const logs = openLogs(services, settings)
  const metering = await openMetering(services, {
    ledger,
    accounts,
    apps,
    priceBook: DEFAULT_PRICE_BOOK,
    limits: appLimits(config),
    provider: BUILDER,
    sources: { read: () => client.read(), requests: async () => [], exhausted: async () => undefined },
  })
  const builds = openBuilds(services, {
    sandbox: client,
    outbound,
    apps,
    logs,
    meter: metering,
    async payerOf(app, ceiling) {
      if ((await accounts.balance(accountOf.purse(app))).available >= ceiling) return accountOf.purse(app)
      return (await metering.allowanceForBuild(app)) > 0n ? ALLOWANCE : null
    },
    async inUse() {
      const rows = await database.query<{ release: string }>(`select release from instance where state <> 'gone'`)
      return rows.map(({ release }) => release)
    },
    priceBook: DEFAULT_PRICE_BOOK,
    builder: BUILDER,
    record: (document) => ledger.record({ topic: recordTopic('release'), document }),
    ...(crash && { crash }),
  })
  await builds.recover()
  await jobs.start()
  let closing: Promise<void> | undefined
  const close = async () => {
    await jobs.close()
    await logs.close()
    await outbound.close()
    await ledger.close()
    client.close()
    await database.close()
  }
  return {
    services,
    client,
    outbound,
    ledger,
    accounts,
    apps,
    logs,
    settings,
    metering,
    builds,
    close: () => (closing ??= close()),
  }
}

export interface BuildBench extends Builder, AsyncDisposable {
  readonly place: Place
  readonly sandbox: TestSandbox
  readonly remote: GitRemote
  /** Commits the files as a new repository and makes the app of it, or of one of its folders, with this money. */
  app(name: string, files: Files, money?: Micros, root?: string): Promise<App>
  /** Asks for a deployment; answers its id. */
  request(app: App, ref?: string | null): Promise<string>
  /** Waits until the deployment has a release, has failed, or waits for money. */
  ended(deployment: string): Promise<Deployment>
  deploy(app: App, ref?: string | null): Promise<Deployment>
  pay(account: string, micros: Micros): Promise<void>
  log(app: string): Promise<string>
}

export async function openBuildBench(environment: Readonly<Record<string, string>> = {}): Promise<BuildBench> {
  const stack = new AsyncDisposableStack()
  const served = stack.use(await serverDatabase())
  const sandbox = stack.use(await openTestSandbox())
  const remote = stack.use(await gitRemote())
  const folder = mkdtempSync(join(tmpdir(), 'perennial-builds-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  chmodSync(folder, 0o755)
  const place = {
    databaseUrl: served.url,
    socket: sandbox.daemon.socket,
    environment: { PERENNIAL_DATA: folder, PERENNIAL_DEVELOPMENT_REMOTES: remote.hostPort, ...environment },
  }
  const builder = await openBuilder(place)
  stack.defer(() => builder.close())
  const { services, accounts, ledger, apps, builds, logs } = builder

  const bench: BuildBench = {
    ...builder,
    place,
    sandbox,
    remote,
    async app(name, files, money = MONEY, root = '') {
      await remote.commit(name, files, `first of ${name}`)
      const repository = parseRepository(remote.url(name), services.config, { root })
      if (isRefusal(repository)) throw new Error(repository.sentence)
      const app = await services.database.transaction((tx) => apps.create(tx, repository, {}))
      if (money > 0n) await bench.pay(accountOf.purse(app.id), money)
      return app
    },
    async request(app, ref = null) {
      const { id } = await services.database.transaction((tx) => builds.request(tx, { app: app.id, ref, by: null }))
      return id
    },
    async ended(id) {
      for (;;) {
        const now = await builds.deployment(id)
        if (now && (!['waiting', 'fetching', 'building'].includes(now.status) || now.problem !== null)) return now
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
    deploy: async (app, ref) => bench.ended(await bench.request(app, ref)),
    async pay(name, amount) {
      const [debit, credit] = [await accounts.id(accountOf.rail('push-button')), await accounts.id(name)]
      await ledger.post({ id: newId(), debit, credit, amount, code: transferCode('contribution-purse') })
    },
    log: async (app) => (await logs.tail({ app, limit: 999 })).map(({ text }) => text).join('\n'),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
  return bench
}
