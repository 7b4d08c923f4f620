/** For tests: everything that a build needs, all of it real: sandboxd, git remotes, the doors, PostgreSQL, the ledger. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLedger, type Ledger } from '@perennial/ledger'
import { DEFAULT_PRICE_BOOK, newId, recordTopic, transferCode, type Micros } from '@perennial/protocol'
import { openTestSandbox, type TestSandbox } from '@perennial/sandbox/testing'
import { gitRemote, type Files, type GitRemote } from '@perennial/testnet/git-remote'
import { appLimits, openApps, openLogs, type App, type Apps, type Logs } from '../apps/index.ts'
import { systemClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { openDiagnostics } from '../diagnostics.ts'
import { openEvents } from '../events.ts'
import { openJobs, type Jobs } from '../jobs.ts'
import { accountOf, ALLOWANCE, openAccounts, openMetering, type Accounts, type Metering } from '../metering/index.ts'
import { openOutbound, type Outbound } from '../outbound/index.ts'
import { isRefusal } from '../refusal.ts'
import type { Services } from '../services.ts'
import { parseRepository } from '../source/index.ts'
import { serverDatabase } from '../testing.ts'
import { openBuilds, type Builds, type Deployment } from './index.ts'

export const BUILDER = 'did:key:z6MkBuilder'

export interface BuildBench extends AsyncDisposable {
  readonly services: Services
  readonly sandbox: TestSandbox
  readonly remote: GitRemote
  readonly outbound: Outbound
  readonly ledger: Ledger
  readonly accounts: Accounts
  readonly apps: Apps
  readonly logs: Logs
  readonly metering: Metering
  readonly jobs: Jobs
  readonly builds: Builds
  /** The node's parts anew on the same database and sandboxes, as after a kill; the old ones are left as they were. */
  restart(crash?: (point: string) => void): Promise<void>
  /** Commits the files as a new repository and makes its app, with this money in its purse. */
  app(name: string, files: Files, money?: Micros): Promise<App>
  pay(app: string, micros: Micros): Promise<void>
  /** Asks for a deployment; answers its id. */
  request(app: App, ref?: string | null): Promise<string>
  /** Waits until the deployment is neither waiting for its turn nor being built. */
  ended(deployment: string): Promise<Deployment>
  deploy(app: App, ref?: string | null): Promise<Deployment>
  log(app: string): Promise<string>
}

export interface BuildBenchOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly crash?: (point: string) => void
}

/** Enough for any build of a test. */
export const MONEY = 5_000_000n

export async function openBuildBench(options: BuildBenchOptions = {}): Promise<BuildBench> {
  const stack = new AsyncDisposableStack()
  const served = stack.use(await serverDatabase())
  const sandbox = stack.use(await openTestSandbox())
  const remote = stack.use(await gitRemote())
  const folder = mkdtempSync(join(tmpdir(), 'perennial-builds-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  chmodSync(folder, 0o755)
  const { database } = served
  const clock = systemClock
  const diagnostics = openDiagnostics({ level: 'error' })
  const config = readConfig({
    PERENNIAL_DATA: folder,
    PERENNIAL_DEVELOPMENT_REMOTES: remote.hostPort,
    ...options.environment,
  })
  const { doorAddress, subnet } = await sandbox.client.probe()
  const ledger = stack.use(await openLedger({ url: served.url }))
  const accounts = openAccounts(ledger)
  const common = { config, database, clock, diagnostics }
  const outbound = await openOutbound(common, { doorAddress, subnet })
  stack.defer(() => outbound.close())
  const open = async (crash?: (point: string) => void) => {
    const jobs = openJobs({ database, clock, diagnostics, owner: 'test' })
    const services: Services = { ...common, jobs, events: openEvents({ jobs, clock }) }
    const apps = openApps(services)
    const logs = openLogs(services)
    const priceBook = DEFAULT_PRICE_BOOK
    const metering = await openMetering(services, {
      ledger,
      accounts,
      apps,
      priceBook,
      limits: appLimits(config),
      provider: BUILDER,
      sources: { read: () => sandbox.client.read(), requests: async () => [], exhausted: async () => undefined },
    })
    const payerOf = async (app: string, ceiling: Micros) => {
      if ((await accounts.balance(accountOf.purse(app))).available >= ceiling) return accountOf.purse(app)
      return (await metering.allowanceForBuild(app)) > 0n ? ALLOWANCE : null
    }
    const builds = openBuilds(services, {
      sandbox: sandbox.client,
      outbound,
      apps,
      logs,
      meter: metering,
      payerOf,
      priceBook,
      builder: BUILDER,
      record: (document) => ledger.record({ topic: recordTopic('release'), document }),
      ...(crash && { crash }),
    })
    await builds.recover()
    await jobs.start()
    stack.defer(async () => {
      await jobs.close()
      await logs.close()
    })
    return { services, apps, logs, metering, jobs, builds }
  }

  const pay = async (name: string, amount: Micros) => {
    const [debit, credit] = [await accounts.id(accountOf.rail('push-button')), await accounts.id(name)]
    await ledger.post({ id: newId(), debit, credit, amount, code: transferCode('contribution-purse') })
  }
  await pay(ALLOWANCE, 1_000_000n)

  const bench = {
    sandbox,
    remote,
    outbound,
    ledger,
    accounts,
    ...(await open(options.crash)),
    async restart(crash?: (point: string) => void) {
      Object.assign(bench, await open(crash))
    },
    async app(name: string, files: Files, money = MONEY) {
      await remote.commit(name, files, `first of ${name}`)
      const repository = parseRepository(remote.url(name), config)
      if (isRefusal(repository)) throw new Error(repository.sentence)
      const app = await database.transaction((tx) => bench.apps.create(tx, repository, {}))
      if (money > 0n) await pay(accountOf.purse(app.id), money)
      return app
    },
    pay: (app: string, micros: Micros) => pay(accountOf.purse(app), micros),
    request: async (app: App, ref: string | null = null) =>
      (await database.transaction((tx) => bench.builds.request(tx, { app: app.id, ref, by: null }))).id,
    async ended(id: string) {
      for (;;) {
        const now = await bench.builds.deployment(id)
        if (now && (!['waiting', 'fetching', 'building'].includes(now.status) || now.problem !== null)) return now
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
    async deploy(app: App, ref: string | null = null) {
      return bench.ended(await bench.request(app, ref))
    },
    log: async (app: string) => (await bench.logs.tail({ app, limit: 999 })).map(({ text }) => text).join('\n'),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
  return bench
}
