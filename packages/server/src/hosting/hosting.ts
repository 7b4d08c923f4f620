/**
 * Runs apps: one keeper each, told by events what should be, and a look each second at what is.
 */
import { serial, type Serial } from '../serial.ts'
import type { Services } from '../services.ts'
import { permitted, type Refusal } from '@perennial/protocol'
import type { KeptApp, Stage } from './data/index.ts'
import { openKeeper, type Keeper, type KeeperDeps } from './keeper.ts'
import { openPrinted, type Printed } from './printed.ts'
import { openCrons } from './crons.ts'
import {
  everyLive,
  forgetInstances,
  instanceById,
  liveInstances,
  setInstance,
  setPrinted,
  type Instance,
} from './queries.ts'
import type { Count } from './router.ts'
import { hasRun } from './queries/runs.ts'
import { openRuns, type Runs } from './runs.ts'
import { APP_PORT } from './spec.ts'
import { openStage } from './stage.ts'

export type HostingDeps = Omit<KeeperDeps, 'carryOut' | 'watch' | 'stopping' | 'deployed'>

export type Activity = 'none' | 'starting' | 'awake' | 'asleep' | 'stopped' | 'failing'

/** An instance as its app's page shows it. */
export interface Shown {
  readonly process: string
  /** The release's number. */
  readonly release: number
  readonly activity: Activity
  readonly since: Date
  readonly memoryBytes: number
  readonly memoryLimitBytes: number
}

export interface Hosting {
  /** Commands of apps that run once. */
  readonly runs: Runs
  /** For what is done to an app's data. */
  readonly stage: Stage
  /** Answers once the app takes requests; for the gateway. */
  wake(app: string): Promise<'ready' | Refusal>
  /** Makes what runs what should run, now. */
  keep(app: string): Promise<void>
  instances(app: string): Promise<Shown[]>
  /** SHA-256 of the releases that have a sandbox now, or may have. */
  releasesInUse(): Promise<string[]>
  /** Of each app: what it does just now. */
  activities(apps: readonly string[]): Promise<ReadonlyMap<string, Activity>>
  /** After a start: takes over what still runs, ends what should not, starts what should. */
  reconcile(): Promise<void>
  start(): void
  /** Before jobs are closed, some of which wait for an app to answer: that is given up, and nothing else begins. */
  stopStarting(): void
  /**
   * Stops every instance, so that nothing runs that nobody meters; or leaves them `serving`, as a killed node does,
   * for the next one to adopt.
   */
  close(options?: { serving?: boolean }): Promise<void>
}

const LOOK_MS = 1000
const STARTED_AT_ONCE = 3
const CARRY_MS = 250
/** Schedules name minutes. */
const CRON_MS = 5_000
/** How long one question for an instance's end is open; the next look asks again. */
const WATCH_MS = 30_000
/** Apps that must sleep when nobody asks get this long. */
const FORCED_SLEEP_MS = 30_000
const OURS = /^i-/
const GONE_KEPT_MS = 7 * 86_400_000
const ACTIVITY: Record<Instance['state'], Activity> = {
  starting: 'starting',
  awake: 'awake',
  asleep: 'asleep',
  stopping: 'stopped',
  gone: 'stopped',
}

export function openHosting(services: Services, deps: HostingDeps): Hosting {
  const { config, database, clock, diagnostics, events } = services
  const { apps, logs, metering, router, sandbox } = deps
  /** One an app, as long as the node runs; as many as there are apps. */
  const keepers = new Map<string, { keeper: Keeper; turn: Serial }>()
  /** Of instances that live. */
  const printed = new Map<string, Printed>()
  /** Of instances that live, and since when each is awake. */
  const lastBusy = new Map<string, { requests: bigint; atMs: number; since: Date }>()
  const stop = new AbortController()
  const stopStarting = () => stop.abort(new Error('the node is stopping'))
  let running: Promise<unknown> | undefined

  const printedOf = (instance: Instance): Printed => {
    const known = printed.get(instance.id)
    if (known) return known
    const { id, app, logInode: inode, logOffset: offset } = instance
    const opened = openPrinted(logs, {
      app,
      process: logName(instance.process),
      path: sandbox.logPath(id),
      place: inode === null || offset === null ? null : { inode, offset },
      save: (tx, place) => setPrinted(tx, id, place),
    })
    printed.set(id, opened)
    return opened
  }
  /** What one app's log cannot take holds up nobody else's. */
  const carry = (row: Instance): Promise<void> =>
    printedOf(row)
      .carry()
      .catch((error: unknown) =>
        diagnostics.warn('what an app printed could not be carried over', { id: row.id, error }),
      )
  const carryTurn = serial()
  const carryOut = async (instance: Instance): Promise<void> => {
    await carryTurn(() => printedOf(instance).finish())
    printed.delete(instance.id)
  }

  const of = (app: string) => {
    const known = keepers.get(app) ?? {
      keeper: openKeeper(services, { ...deps, carryOut, watch, stopping: stop.signal, deployed }, app),
      turn: serial(),
    }
    keepers.set(app, known)
    return known
  }
  const inTurn = <T>(app: string, act: (keeper: Keeper) => Promise<T>): Promise<T> => {
    const { keeper, turn } = of(app)
    return turn(() => {
      // What is started while the node closes would run on without one.
      stop.signal.throwIfAborted()
      return act(keeper)
    })
  }
  const runs = openRuns(services, { sandbox, inTurn })
  const crons = openCrons(services, { apps, runs })
  const deployed: KeeperDeps['deployed'] = async (tx, app, plan) => {
    await crons.follow(tx, app, plan)
    const { postdeploy: argv } = plan
    if (argv === null) return
    if (!(await hasRun(tx, { app, process: 'postdeploy', open: false })))
      await runs.request(tx, { app, process: 'postdeploy', argv, by: null })
  }
  const keep = (app: string, deployment?: string) => inTurn(app, (keeper) => keeper.keep(deployment))

  services.jobs.daily('instances: forget', (on, now) => forgetInstances(on, new Date(now.getTime() - GONE_KEPT_MS)))
  events.on('release-built', 'hosting', ({ app, deployment }) => keep(app, deployment))
  events.on('state-changed', 'hosting', ({ app }) => keep(app))
  events.on('contributed', 'hosting', ({ app }) => keep(app))

  /** What ended by itself, what should be started again, what nobody asks for. */
  async function look(): Promise<void> {
    // In this order: a row that says awake had its sandbox before the list was made.
    const every = await everyLive(database)
    const rows = every.filter(isWeb)
    const [sandboxes, counts] = await Promise.all([sandbox.list(), router.counts()])
    const states = new Map(sandboxes.map((one) => [one.id, one]))
    deps.data.look(states)
    const traffic = new Map(counts.map((count) => [count.app, count]))
    const nowMs = clock.monotonicMs()
    for (const row of rows) {
      const found = states.get(row.id)
      if (row.state === 'starting' || row.state === 'stopping') attend(row.app, (keeper) => keeper.keep())
      else if (!found || found.state === 'exited') attend(row.app, (keeper) => keeper.ended(row, found?.exit ?? null))
      else watch(row)
      if (row.state === 'awake' && (await isIdle(row, traffic.get(row.app), nowMs)))
        attend(row.app, (keeper) => keeper.sleep())
    }
    for (const row of every.filter((one) => !isWeb(one) && !one.once)) {
      const found = states.get(row.id)
      if (row.state !== 'awake') attend(row.app, (keeper) => keeper.keep())
      else if (!found || found.state === 'exited') attend(row.app, (keeper) => keeper.ended(row, found?.exit ?? null))
      else watch(row)
    }
    const live = new Set(rows.map(({ id }) => id))
    for (const id of lastBusy.keys()) if (!live.has(id)) lastBusy.delete(id)
    for (const [app, { keeper }] of keepers) {
      if (keeper.backOff && keeper.backOff.untilMs <= nowMs && !rows.some((row) => row.app === app))
        attend(app, (one) => one.keep())
      else if (keeper.workersDueMs !== null && keeper.workersDueMs <= nowMs) attend(app, (one) => one.keep())
    }
  }

  /** No request came and none is under way, for as long as an app in its state may stay awake without one. */
  async function isIdle(row: Instance, count: Count | undefined, nowMs: number): Promise<boolean> {
    const requests = count?.requests ?? 0n
    const busy = lastBusy.get(row.id)
    const asleepSince = busy !== undefined && busy.since.getTime() !== row.since.getTime()
    if (!busy || asleepSince || busy.requests !== requests || (count?.inFlight ?? 0) > 0) {
      lastBusy.set(row.id, { requests, atMs: nowMs, since: row.since })
      return false
    }
    const app = await apps.find(row.app)
    const forced = !app || !permitted(app.state).stayAwake
    return nowMs - busy.atMs > (forced ? Math.min(config.app.idleMs, FORCED_SLEEP_MS) : config.app.idleMs)
  }

  const watched = new Set<string>()
  /** Its end is attended to as it happens: until then requests go to an address where nobody is. */
  function watch(row: Instance): void {
    if (watched.has(row.id)) return
    watched.add(row.id)
    sandbox
      .wait({ id: row.id, timeoutMs: WATCH_MS })
      .then((exit) => {
        if (exit && !stop.signal.aborted) attend(row.app, (keeper) => keeper.ended(row, exit))
      })
      // Removed meanwhile, or the daemon does not answer: the next look sees which.
      .catch((error: unknown) => diagnostics.debug('a sandbox is no longer watched', { id: row.id, error }))
      .finally(() => watched.delete(row.id))
  }

  const attending = new Set<string>()
  /** In the app's turn, without holding up the others; once at a time. */
  function attend(app: string, act: (keeper: Keeper) => Promise<void>): void {
    if (attending.has(app)) return
    attending.add(app)
    inTurn(app, act)
      .catch((error: unknown) => diagnostics.warn('an app could not be attended to; trying again', { app, error }))
      .finally(() => attending.delete(app))
  }

  /** After a start of the machine every app waits to run: a few at a time, while a visitor's own is started at once. */
  let waiting: string[] = []
  const startWaiting = async (): Promise<void> => {
    for (let app = waiting.shift(); app !== undefined && !stop.signal.aborted; app = waiting.shift())
      await keep(app).catch((error: unknown) => diagnostics.warn('an app did not start with the node', { app, error }))
  }

  const every = async (what: string, ms: number, work: () => Promise<void>): Promise<void> => {
    while (!stop.signal.aborted) {
      await work().catch((error: unknown) => diagnostics.warn(`${what} failed; trying again`, { error }))
      await clock.sleep(ms, stop.signal)
    }
  }

  return {
    runs,
    stage: openStage({ database, sandbox, inTurn }),
    keep,
    // Most requests that wait find it awake; only the first of them does the work.
    wake: (app) => inTurn(app, (keeper) => keeper.wake()),
    async instances(app) {
      const [rows, readings] = await Promise.all([everyLive(database, app), sandbox.read()])
      const memory = new Map(readings.map(({ id, memoryBytes }) => [id, Number(memoryBytes)]))
      return Promise.all(
        rows.map(async ({ id, process, number, state, since }) => ({
          process,
          release: number ?? 0,
          activity: ACTIVITY[state],
          since,
          memoryBytes: memory.get(id) ?? 0,
          memoryLimitBytes: deps.limits.memoryBytes,
        })),
      )
    },
    releasesInUse: async () => [...new Set((await everyLive(database)).map(({ release }) => release))],
    async activities(ids) {
      const found = new Map<string, Activity>()
      const rows = await liveInstances(database)
      for (const id of ids) {
        const states = rows.filter(({ app }) => app === id).map(({ state }) => state)
        const best = (['awake', 'asleep', 'starting', 'stopping'] as const).find((state) => states.includes(state))
        if (best) found.set(id, ACTIVITY[best])
        else if (keepers.get(id)?.keeper.backOff) found.set(id, 'failing')
      }
      return found
    },
    async reconcile() {
      const sandboxes = new Map((await sandbox.list()).map((one) => [one.id, one]))
      const rows = await everyLive(database)
      const usable = (row: Instance) => ['running', 'frozen'].includes(sandboxes.get(row.id)?.state ?? '')
      const kept = rows.filter((row) => (row.state === 'awake' || row.state === 'asleep') && !row.once && usable(row))
      // Nothing may lead to an address that another app's sandbox could get.
      const keptApps = new Set(kept.filter(isWeb).map(({ app }) => app))
      for (const app of await apps.ids()) if (!keptApps.has(app)) await router.unroute({ app })
      for (const row of kept.filter(isWeb)) await adopt(row, sandboxes.get(row.id)?.state === 'frozen')
      await deps.data.reconcile(dataOf(kept, ({ id }) => sandboxes.get(id)?.state === 'frozen'))
      // A worker stands still only while its data is copied, which the last node did not finish.
      for (const { id } of kept.filter((row) => !isWeb(row)))
        if (sandboxes.get(id)?.state === 'frozen') await sandbox.thaw({ id })
      const keptIds = new Set(kept.map(({ id }) => id))
      for (const row of rows) if (!keptIds.has(row.id)) await endLeft(row, sandboxes.has(row.id))
      for (const { id } of rows) sandboxes.delete(id)
      for (const id of sandboxes.keys()) {
        if (!OURS.test(id)) continue
        const row = await instanceById(database, id)
        if (row) await endLeft(row, true)
        else await sandbox.remove({ id })
      }
      waiting = await apps.ids()
    },
    start() {
      running ??= Promise.all([
        every('the look at instances', LOOK_MS, look),
        ...Array.from({ length: STARTED_AT_ONCE }, startWaiting),
        every('the look at what is due', CRON_MS, () => crons.look()),
        every('carrying over what apps print', CARRY_MS, () =>
          carryTurn(async () => {
            const rows = await everyLive(database)
            for (const row of rows) await carry(row)
            // One that was just carried out and not gone yet has been opened once more.
            const live = new Set(rows.map(({ id }) => id))
            for (const [id, one] of printed) {
              if (live.has(id)) continue
              await one.close()
              printed.delete(id)
            }
          }),
        ),
      ])
    },
    stopStarting,
    async close({ serving = false } = {}) {
      stopStarting()
      await running
      if (!serving) await haltAll()
      for (const one of printed.values()) await one.close()
    },
  }

  async function haltAll(): Promise<void> {
    const live = new Set((await everyLive(database)).map(({ app }) => app))
    for (const app of keepers.keys()) live.add(app)
    await Promise.all([...live].map((app) => of(app).turn(() => of(app).keeper.close())))
  }

  /** Killed between a freeze and its row, or a thaw and its row: awake is the safe side of both. */
  async function adopt(row: Instance, frozen: boolean): Promise<void> {
    const app = await apps.find(row.app)
    if (!app || row.address === null) return
    const where = { app: app.id, host: `${app.slug}.${config.appsDomain}` }
    if (frozen && row.state === 'asleep') return router.park(where)
    if (frozen) await sandbox.thaw({ id: row.id })
    if (row.state === 'asleep') await setInstance(database, { id: row.id, state: 'awake', since: clock.now() })
    await router.route({ ...where, address: row.address, port: APP_PORT })
  }

  /** What a killed node left half-way: its usage is counted and charged, then it goes. */
  async function endLeft(row: Instance, there: boolean): Promise<void> {
    if (there) await sandbox.stop({ id: row.id, graceMs: 0 })
    await metering.detach(row.id)
    await carryOut(row)
    if (there) await sandbox.remove({ id: row.id })
    await setInstance(database, { id: row.id, state: 'gone', since: clock.now(), reason: 'the node was restarted' })
  }
}

const isWeb = ({ process, once }: Instance): boolean => process === 'web' && !once

/** A worker of an app whose web process sleeps keeps its data awake. */
function dataOf(kept: readonly Instance[], isFrozen: (row: Instance) => boolean): KeptApp[] {
  const found = new Map<string, KeptApp>()
  // A row may still say asleep of one that was woken just before the kill.
  for (const row of kept) {
    const { app, payer, state } = row
    const asleep = state === 'asleep' && isFrozen(row) && (found.get(app)?.asleep ?? true)
    found.set(app, { app, payer, asleep })
  }
  return [...found.values()]
}

/** What the node says in an app's log stands under names that no process of the app can take. */
const RESERVED = new Set(['node', 'build', 'router'])

function logName(process: string): string {
  const name =
    process
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-')
      .replace(/^[^a-z]+/, '') || 'process'
  return RESERVED.has(name) ? `${name}-process` : name.slice(0, 63)
}
