/**
 * Opens everything a node owns, in order, and closes it in the opposite one. Who knows whom is decided here alone.
 *
 * An earlier folder that needs a later one is given a function that looks it up when it is called: metering asks the
 * gateway for counts, the gateway asks hosting to wake an app, and what stands at a silent address is the web's.
 */
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { recordTopic } from '@perennial/protocol'
import { sandboxClient } from '@perennial/sandbox/client'
import { appLimits, openApps, openConfig, openLogs } from './apps/index.ts'
import { openBooks } from './books.ts'
import { openBuilds } from './builds/index.ts'
import { systemClock } from './clock.ts'
import { openCluster } from './cluster.ts'
import type { Config } from './config.ts'
import { migrate, openDatabase } from './database.ts'
import { openDiagnostics } from './diagnostics.ts'
import { openEvents } from './events.ts'
import { openFunding, type Funding } from './funding/index.ts'
import { openGateway, plainPage, type Gateway } from './gateway/index.ts'
import { openData, openHosting, stageOf, type Hosting } from './hosting/index.ts'
import { openIdentity } from './identity/index.ts'
import { openJobs } from './jobs.ts'
import { openKeys } from './keys.ts'
import { openAccounts, openMetering } from './metering/index.ts'
import { imageIndex, openOutbound } from './outbound/index.ts'
import { handlers, openDownloads, openRpc } from './rpc/index.ts'
import type { Services } from './services.ts'
import { openWeb, type Web } from './web/index.ts'

export interface Node extends AsyncDisposable {
  readonly origin: string
}

export async function openNode(config: Config): Promise<Node> {
  const closers = new AsyncDisposableStack()
  const closing = (close: () => unknown) => closers.defer(async () => void (await close()))
  try {
    const diagnostics = openDiagnostics({ level: config.logLevel })
    const clock = systemClock
    const keys = await openKeys(join(config.data, 'keys'))
    const cluster =
      config.databaseUrl === undefined
        ? closers.use(await openCluster({ folder: join(config.data, 'pg'), diagnostics }))
        : undefined
    const url = cluster?.url ?? config.databaseUrl
    if (url === undefined) throw new Error('neither a cluster nor DATABASE_URL: this cannot be')
    const database = await openDatabase({ url, connections: 20 })
    closing(() => database.close())
    await migrate(database)
    const did = keys.node.did
    const jobs = openJobs({ database, clock, diagnostics, owner: did })
    const services: Services = { config, database, clock, diagnostics, jobs, events: openEvents({ jobs, clock }) }

    const books = await openBooks(services, {
      url,
      issuer: did,
      onFenced: (error) => {
        diagnostics.error('another node writes to this ledger; this one ends', { error })
        process.exit(1)
      },
    })
    closing(() => books.close())
    const { ledger, priceBook, ledgerId } = books
    const accounts = openAccounts(ledger)
    const identity = openIdentity(services, keys)

    const sandbox = sandboxClient({ socket: join(config.sandboxRoot, 'sandboxd.sock') })
    closing(() => sandbox.close())
    const { doorAddress, subnet, isolation } = await sandbox.probe()
    const outbound = await openOutbound(services, {
      doorAddress,
      subnet,
      defaultIndex: () => imageIndex(sandbox),
    })
    closing(() => outbound.close())

    const apps = openApps(services)
    const settings = openConfig(services, { key: keys.config })
    await settings.recover()
    const logs = openLogs(services, settings)
    closing(() => logs.close())
    const limits = appLimits(config)
    const later: { gateway?: Gateway; funding?: Funding; hosting?: Hosting; web?: Web } = {}
    const metering = await openMetering(services, {
      ledger,
      accounts,
      apps,
      priceBook,
      limits,
      provider: did,
      sources: {
        read: () => sandbox.read(),
        requests: async () => (await later.gateway?.counts()) ?? [],
        exhausted: async (app, sentence) => {
          await later.funding?.exhausted(app, sentence)
          // What its payer paid for ends, also where another payer takes over.
          await later.hosting?.keep(app)
        },
      },
    })
    const funding = await openFunding(services, { ledger, accounts, apps, metering, priceBook })
    later.funding = funding
    const builds = openBuilds(services, {
      sandbox,
      outbound,
      apps,
      logs,
      priceBook,
      builder: did,
      meter: metering,
      payerOf: (app, ceiling) => funding.payerOf(app, 'build', ceiling),
      inUse: async () => (await later.hosting?.releasesInUse()) ?? [],
      record: (receipt) => ledger.record({ topic: recordTopic('release'), document: receipt }),
    })

    const sockets = { web: join(config.data, 'web.sock') }
    const reconciled = Promise.withResolvers<Hosting>()
    const gateway = await openGateway(services, {
      webSocketPath: sockets.web,
      waker: {
        find: async (host) => {
          const slug = host.endsWith(`.${config.appsDomain}`) ? host.slice(0, -config.appsDomain.length - 1) : ''
          const app = slug === '' ? null : await apps.find(slug)
          return app && { app: app.id }
        },
        // A visitor of a node that is just starting is held like one of an app that is.
        wake: async (app) => (await reconciled.promise).wake(app),
      },
      page: (kind, about) => later.web?.resting(kind, about) ?? plainPage(kind, about),
    })
    later.gateway = gateway
    closing(() => gateway.close())
    const data = openData(services, {
      sandbox,
      apps,
      metering,
      logs,
      payerOf: (app) => funding.payerOf(app, 'run'),
      stage: stageOf(() => later.hosting),
    })
    const hosting = openHosting(services, {
      apps,
      builds,
      funding,
      metering,
      data,
      settings,
      logs,
      sandbox,
      limits,
      router: gateway,
    })
    later.hosting = hosting

    const origins = config.hosts.map((host) => `http://${host}:${config.listen.port}`)
    const origin = origins[0] ?? `http://${config.listen.host}:${config.listen.port}`
    const downloads = openDownloads(services)
    const rpc = openRpc(
      {
        ...services,
        identity,
        ledger,
        accounts,
        priceBook,
        ledgerId,
        origins,
        limits,
        apps,
        logs,
        settings,
        data,
        downloads,
        metering,
        funding,
        builds,
        isolation,
        hosting: { ...hosting, stop: hosting.keep, start: hosting.keep },
        boot: randomUUID(),
      },
      handlers,
      (arrived) => downloads.answer(arrived),
    )
    const web = await openWeb(services, { rpc, identity, origins })
    later.web = web

    // From here on things happen: first what a kill left undone, then what is new.
    await funding.recover()
    await funding.fillAllowance()
    await builds.recover()
    await hosting.reconcile()
    reconciled.resolve(hosting)
    metering.start()
    closing(() => metering.close())
    funding.start()
    closing(() => funding.close())
    data.start()
    closing(() => data.close())
    hosting.start()
    closing(() => hosting.close())
    await jobs.start()
    closing(() => jobs.close())
    closing(() => hosting.stopStarting())
    await web.listen({ socketPath: sockets.web })
    closing(() => web.close())
    diagnostics.info('the node is open', { origin, did })
    return { origin, [Symbol.asyncDispose]: () => closers.disposeAsync() }
  } catch (error) {
    await closers.disposeAsync()
    throw error
  }
}
