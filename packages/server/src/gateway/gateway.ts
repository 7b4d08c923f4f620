/**
 * One port for the node and all apps: HAProxy in front, the activator behind it, exact counts per app.
 *
 * Every app with a host name is known here; without an address its requests are held by the activator, which is
 * always safe: whoever wakes it says where it is. So an app falls asleep and wakes without a write to the database.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Count, Router } from '../hosting/index.ts'
import type { Services } from '../services.ts'
import { openActivator, type Waker } from './activator.ts'
import { Counters } from './counters.ts'
import { DataPlane } from './data-plane.ts'
import { appId, endpoint, hostName } from './names.ts'
import { plainPage, type PageMaker } from './pages.ts'
import type { Route } from './plan.ts'
import { lives } from './process.ts'
import { deleteHost, loadCounts, loadHosts, storeCounts, storeHost } from './queries.ts'
import { files, type Template } from './template.ts'

const TICK_MS = 1000
const HOLD_MS = 30_000
const STOP_GRACE_MS = 3000
const DRAIN_LOOK_MS = 20

export interface GatewayOptions {
  /** The unix socket of the node's own web server; HAProxy waits for it, so it may come later. */
  readonly webSocketPath: string
  readonly waker: Waker
  readonly page?: PageMaker
  /** Sockets and configuration; `<data>/gateway` unless said otherwise. */
  readonly folder?: string
  /** Apps that can be awake at once before HAProxy has to be reloaded with more. */
  readonly slots?: number
  readonly holdMs?: number
  /** Requests of one app under way at once. */
  readonly perApp?: number
  /** What one client address may do. */
  readonly perClient?: Partial<Template['perClient']>
}

export interface Gateway extends Router {
  /** Ends HAProxy after its requests, or leaves it `serving` for the next node. */
  close(options?: { serving?: boolean }): Promise<void>
}

export async function openGateway(services: Services, options: GatewayOptions): Promise<Gateway> {
  const { config, database, diagnostics } = services
  const folder = options.folder ?? `${config.data}/gateway`
  await mkdir(folder, { recursive: true, mode: 0o700 })
  /** One an app that has a host name. */
  const routes = new Map<string, Route>()
  for (const { app, host } of await loadHosts(database)) routes.set(app, { app, host, endpoint: null })
  const counters = new Counters(await loadCounts(database))
  const activator = await openActivator({
    socketPath: files(folder).activator,
    waker: options.waker,
    page: options.page ?? plainPage,
    endpoint: (app) => routes.get(app)?.endpoint ?? null,
    holdMs: options.holdMs ?? HOLD_MS,
    diagnostics,
  })
  const plane = new DataPlane({
    template: await template(services, options, folder),
    routes,
    diagnostics,
    beforeReload: () => counts(),
  })
  const stop = new AbortController()

  const set = async (route: Route) => {
    const displaced: string[] = []
    if (routes.get(route.app)?.host !== route.host) {
      await storeHost(database, route)
      for (const { app, host } of routes.values()) if (host === route.host && app !== route.app) displaced.push(app)
    }
    for (const app of displaced) routes.delete(app)
    routes.set(route.app, route)
    await Promise.all([route.app, ...displaced].map((app) => plane.apply(app)))
  }

  let reading: Promise<Count[]> | null = null
  const read = async (): Promise<Count[]> => {
    const workers = await plane.meters()
    const inFlight = new Map<string, number>()
    for (const { id, meters } of workers) {
      counters.observe(id, meters)
      for (const meter of meters) inFlight.set(meter.app, (inFlight.get(meter.app) ?? 0) + meter.inFlight)
    }
    for (const id of counters.processes()) if (!(await lives({ id }))) counters.retire(id)
    const changed = counters.unstored()
    if (changed.length > 0) {
      await storeCounts(database, changed)
      counters.stored(changed)
    }
    return counters.totals().map((total) => ({ ...total, inFlight: inFlight.get(total.app) ?? 0 }))
  }
  // Who asks while a reading is under way waits for the next: it must see what happened before it asked.
  const counts = async (): Promise<Count[]> => {
    await reading?.catch(() => undefined)
    const mine = (reading ??= read().finally(() => {
      reading = null
    }))
    return mine
  }

  const tick = async () => {
    while (!stop.signal.aborted) {
      await sleep(TICK_MS, undefined, { signal: stop.signal }).catch(() => undefined)
      if (stop.signal.aborted) return
      try {
        await counts()
        await plane.tidy()
      } catch (error) {
        diagnostics.debug('HAProxy could not be read; the next second tries again', { error })
      }
    }
  }

  try {
    await plane.open()
  } catch (error) {
    await plane.close({ serving: false, graceMs: 0 })
    await activator.close()
    throw error
  }
  const ticking = tick()

  return {
    async route({ app, host, address, port }) {
      await set({ app: appId(app), host: hostName(host), endpoint: endpoint({ address, port }) })
    },
    async park({ app, host }) {
      await set({ app: appId(app), host: hostName(host), endpoint: null })
    },
    async unroute({ app }) {
      if (!routes.has(appId(app))) return
      await deleteHost(database, app)
      routes.delete(app)
      await plane.apply(app)
    },
    async inFlight(app) {
      const workers = await plane.meters(appId(app))
      return workers.flatMap(({ meters }) => meters).reduce((sum, meter) => sum + meter.inFlight, 0)
    },
    async drained({ app, address, port, timeoutMs }) {
      for (let waited = 0; ; waited += DRAIN_LOOK_MS) {
        if (await plane.tidy({ app: appId(app), endpoint: { address, port } })) return true
        if (waited >= timeoutMs) return false
        await sleep(DRAIN_LOOK_MS)
      }
    },
    counts,
    async close({ serving = false } = {}) {
      stop.abort()
      await ticking
      await counts().catch((error: unknown) =>
        diagnostics.warn('the last second of counts could not be read', { error }),
      )
      await plane.close({ serving, graceMs: STOP_GRACE_MS })
      await activator.close()
    },
  }
}

async function template({ config }: Services, options: GatewayOptions, folder: string): Promise<Template> {
  const descriptors = await descriptorLimit()
  return {
    listen: config.listen,
    hosts: config.hosts,
    appsDomain: config.appsDomain,
    folder,
    webSocketPath: options.webSocketPath,
    slots: options.slots ?? 256,
    // One thread passes on 40,000 requests a second; a second one costs more per request than it brings on two cores.
    threads: 1,
    connections: Math.max(100, Math.min(10_000, Math.floor((descriptors - 1000) / 2))),
    perApp: options.perApp ?? 500,
    perClient: { connections: 500, toOneApp: 200, requestsPerSecond: 500, ...options.perClient },
  }
}

/** HAProxy raises its own limit as far as the hard one allows, and refuses to start beyond. */
async function descriptorLimit(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8')
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1]
  return hard === undefined || hard === 'unlimited' ? 1_048_576 : Number(hard)
}
