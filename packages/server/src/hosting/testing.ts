/** For tests and benches: apps built, hosted and reached through the gateway, all of it real but their money's states. */
import { readFile } from 'node:fs/promises'
import { sandboxClient } from '@perennial/sandbox/client'
import { freePort } from '@perennial/testnet/free-port'
import pg from 'pg'
import { appLimits, type App } from '../apps/index.ts'
import { openBuildBench, openBuilder, type BuildBench, type Builder } from '../builds/testing.ts'
import { openGateway, type Gateway } from '../gateway/index.ts'
import { visit, type Answer } from '../gateway/testing.ts'
import { accountOf } from '../metering/index.ts'
import { openData, stageOf, type Data } from './data/index.ts'
import { openHosting, type Activity, type Hosting } from './hosting.ts'

export interface HostingBench extends AsyncDisposable {
  readonly bench: BuildBench
  /** The open node's: another one after `restart`. */
  readonly builder: Builder
  readonly gateway: Gateway
  readonly hosting: Hosting
  readonly data: Data
  readonly port: number
  /** Commits, builds and starts it; answers once it runs. */
  run(name: string, files: Record<string, string>, root?: string): Promise<App>
  /** Commits changed files and deploys them; rejects with the deployment's problem and the app's log. */
  again(app: App, name: string, files: Record<string, string>): Promise<void>
  /** Between two nodes: kills one app's sandbox, and leaves one that belongs to nobody. */
  strangeThings(app: App): Promise<void>
  /** Sandboxes of hosting's that no row knows. */
  orphans(): Promise<string[]>
  visit(app: App, path?: string, options?: Parameters<typeof visit>[2]): Promise<Answer>
  setState(app: App, state: App['state']): Promise<void>
  /** Leaves everything as a killed node leaves it, and opens the next one. `meanwhile`: what happens in between. */
  restart(meanwhile?: () => Promise<unknown>): Promise<void>
  /** As the sandbox says. */
  isFrozen(app: App): Promise<boolean>
  /** Stops its instance; the next request finds nothing that runs. */
  halt(app: App): Promise<void>
  until(app: App, activity: Activity, timeoutMs?: number): Promise<void>
  /** What the app printed, as its public log has it. */
  printed(app: App): Promise<string[]>
  /** Waits until nothing new is carried over. */
  printedAll(app: App): Promise<void>
}

interface Hosts {
  readonly builder: Builder
  readonly gateway: Gateway
  readonly data: Data
  readonly hosting: Hosting
}

export async function openHostingBench(environment: Readonly<Record<string, string>> = {}): Promise<HostingBench> {
  const port = await freePort()
  const bench = await openBuildBench({ PERENNIAL_LISTEN: `127.0.0.1:${port}`, ...environment })
  let node = await openHosts(bench)

  async function settled({ id }: { id: string }): Promise<void> {
    for (;;) {
      const now = await node.builder.builds.deployment(id)
      if (now?.status === 'running') return
      if (now && now.problem !== null) throw new Error(`${now.problem}\n${await bench.log(now.app)}`)
      await pause()
    }
  }

  const self: HostingBench = {
    bench,
    get builder() {
      return node.builder
    },
    get gateway() {
      return node.gateway
    },
    get hosting() {
      return node.hosting
    },
    get data() {
      return node.data
    },
    port,
    async run(name, files, root) {
      const app = await bench.app(name, files, undefined, root)
      await self.setState(app, 'funded')
      await settled(await bench.deploy(app))
      return app
    },
    async again(app, name, files) {
      await bench.remote.commit(name, files, 'changed')
      const { services, builds } = node.builder
      await settled(
        await services.database.transaction((tx) => builds.request(tx, { app: app.id, ref: null, by: null })),
      )
    },
    async strangeThings(app) {
      const client = sandboxClient({ socket: bench.place.socket })
      const { rows } = await query(
        bench.place.databaseUrl,
        `select id from instance where app = '${app.id}' and state <> 'gone'`,
      )
      await client.stop({ id: String(rows[0]?.['id']), graceMs: 0 })
      const { limits, image, argv } = {
        limits: { memoryBytes: 2 ** 26, pids: 8, cpuPercent: 10 },
        image: 'static',
        argv: ['/bin/sleep', '1000'],
      } as const
      await client.start({
        id: 'i-of-nobody',
        image,
        argv,
        limits,
        writableBytes: 2 ** 20,
        env: {},
        cwd: '/',
        user: 'app',
        network: 'none',
      })
      client.close()
    },
    async orphans() {
      const { services, client } = node.builder
      const known = await services.database.query<{ id: string }>(`select id from instance where state <> 'gone'`)
      const ids = new Set(known.map(({ id }) => id))
      return (await client.list()).map(({ id }) => id).filter((id) => id.startsWith('i-') && !ids.has(id))
    },
    visit: (app, path = '/', options = {}) =>
      visit(port, `${app.slug}.${node.builder.services.config.appsDomain}`, { ...options, path }),
    async setState(app, state) {
      const { services, apps } = node.builder
      await services.database.transaction((tx) => apps.setState(tx, app.id, state, `for a test: ${state}`))
    },
    async restart(meanwhile) {
      await node.hosting.close({ serving: true })
      await node.data.close()
      await node.gateway.close({ serving: true })
      await node.builder.close()
      await meanwhile?.()
      node = await openHosts(await openBuilder(bench.place))
    },
    async isFrozen(app) {
      const { services, client } = node.builder
      const rows = await services.database.query<{ id: string }>('select id from instance where app = $1', [app.id])
      const ids = new Set(rows.map(({ id }) => id))
      return (await client.list()).some(({ id, state }) => ids.has(id) && state === 'frozen')
    },
    async halt(app) {
      const { apps, services } = node.builder
      await apps.setStopped(services.database, app.id, true)
      await node.hosting.keep(app.id)
      await apps.setStopped(services.database, app.id, false)
    },
    async until(app, activity, timeoutMs = 15_000) {
      const deadline = Date.now() + timeoutMs
      for (;;) {
        const now = (await node.hosting.activities([app.id])).get(app.id) ?? 'none'
        if (now === activity) return
        if (Date.now() > deadline)
          throw new Error(`it is ${now}, not ${activity}: ${(await self.printed(app)).join('\n')}`)
        await pause()
      }
    },
    async printed(app) {
      const lines = await node.builder.logs.tail({ app: app.id, limit: 20_000, source: 'web' })
      return lines.map(({ text }) => text)
    },
    async printedAll(app) {
      for (let before = -1, now = 0; before !== now;) {
        before = now
        await new Promise((resolve) => setTimeout(resolve, 1000))
        now = (await self.printed(app)).length
      }
    },
    async [Symbol.asyncDispose]() {
      await node.hosting.close()
      await node.data.close()
      await node.gateway.close()
      await node.builder.close()
      await bench[Symbol.asyncDispose]()
    },
  }
  return self
}

async function openHosts(builder: Builder): Promise<Hosts> {
  const { services, client: sandbox, apps, logs, settings, metering, accounts, builds } = builder
  const { config } = services
  const later: { hosting?: Hosting } = {}
  const gateway = await openGateway(services, {
    webSocketPath: `${config.data}/web.sock`,
    waker: {
      async find(host) {
        const app = await apps.find(host.slice(0, -config.appsDomain.length - 1))
        return app && { app: app.id }
      },
      async wake(app) {
        if (!later.hosting) throw new Error('the node is still starting')
        return later.hosting.wake(app)
      },
    },
  })
  const payerOf = async (app: string) => {
    const purse = accountOf.purse(app)
    return (await accounts.balance(purse)).balance > 0n ? purse : null
  }
  const data = openData(services, { sandbox, apps, metering, logs, payerOf, stage: stageOf(() => later.hosting) })
  const hosting = openHosting(services, {
    data,
    settings,
    apps,
    logs,
    metering,
    sandbox,
    builds,
    limits: appLimits(config),
    router: gateway,
    funding: { payerOf },
  })
  later.hosting = hosting
  await hosting.reconcile()
  data.start()
  hosting.start()
  return { builder, gateway, data, hosting }
}

/** An app without packages: says hello, and does what a test asks of it (testing-app.js). */
export async function helloFiles(): Promise<Record<string, string>> {
  const program = await readFile(new URL('testing-app.js', import.meta.url), 'utf8')
  const manifest = { name: 'hello', version: '1.0.0', private: true, scripts: { start: 'node server.js' } }
  return { 'package.json': JSON.stringify(manifest), 'server.js': program }
}

async function query(url: string, text: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await client.query<Record<string, unknown>>(text)
  } finally {
    await client.end()
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 20))
