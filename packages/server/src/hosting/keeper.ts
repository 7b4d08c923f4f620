/**
 * Keeps one app as it should be: the release it has, run by whoever pays, or not at all. One act at a time per app.
 *
 *   starting → awake ⇄ asleep → stopping → gone
 *
 * A row is written before each act and after it, so that a node killed in between finds out what it was at.
 */
import { isRefusal, newId, permitted, refuse, type Limits, type Refusal } from '@perennial/protocol'
import { SandboxRefused, type Exit, type SandboxClient } from '@perennial/sandbox/client'
import type { App, Apps, Logs } from '../apps/index.ts'
import type { Builds, Release } from '../builds/index.ts'
import type { Funding } from '../funding/index.ts'
import type { Metering } from '../metering/index.ts'
import type { Services } from '../services.ts'
import type { Data } from './data/index.ts'
import { doze } from './doze.ts'
import { untilHealthy } from './health.ts'
import { insertInstance, liveInstances, setInstance, type Instance, type InstanceState } from './queries.ts'
import type { Router } from './router.ts'
import { APP_PORT, specOf } from './spec.ts'
import { unbuilt } from './unbuilt.ts'

export interface KeeperDeps {
  readonly apps: Apps
  readonly builds: Builds
  readonly funding: Pick<Funding, 'payerOf'>
  readonly metering: Pick<Metering, 'attach' | 'detach' | 'settle' | 'collectRent'>
  readonly data: Data
  readonly logs: Logs
  readonly sandbox: SandboxClient
  readonly router: Router
  readonly limits: Limits
  /** What an instance printed to its end is carried over before its sandbox goes. */
  readonly carryOut: (instance: Instance) => Promise<void>
  /** From here on its end is noticed as it happens. */
  readonly watch: (instance: Instance) => void
  /** The node stops: whoever waits for an app to answer gives up. */
  readonly stopping: AbortSignal
}

const HEALTHY_WITHIN_MS = 60_000
const GRACE_MS = 10_000
const DRAIN_MS = 10_000
/** One that ran this long has started well: a later end is a new story. */
const STEADY_MS = 60_000
const LONGEST_BACK_OFF_MS = 60_000
/** A visitor waits this long for an app that is to be started again; later ones are told so. */
const PATIENCE_MS = 8_000
const UNPAID = 'runs with the first payment'

/** What should run, and who pays for it. */
interface Target {
  readonly app: App
  readonly release: Release
  readonly payer: string
}

interface Dozing {
  readonly instance: Instance
  readonly where: { readonly app: string; readonly host: string; readonly address: string; readonly port: number }
}

export interface Keeper {
  /** Makes what runs what should run. `deployment`: its release is tried first, and told how it went. */
  keep(deployment?: string): Promise<void>
  /** For a request that waits. */
  wake(): Promise<'ready' | Refusal>
  /** Nobody asks for it: frozen in RAM if that stays so. */
  sleep(): Promise<void>
  /** The node closes: everything is charged and stopped; the next start brings it back. */
  close(): Promise<void>
  /** Its sandbox ended by itself; without `exit` it is not there any more. */
  ended(instance: Instance, exit: Pick<Exit, 'sentence'> | null): Promise<void>
  /** Why it is not started just now; null: it may be. */
  readonly backOff: { readonly untilMs: number; readonly sentence: string } | null
}

export function openKeeper(services: Services, deps: KeeperDeps, appId: string): Keeper {
  const { config, database, clock, diagnostics } = services
  const { apps, builds, funding, metering, data, logs, sandbox, router, limits, stopping } = deps
  const name = (app: App) => ({ app: app.id, host: `${app.slug}.${config.appsDomain}` })
  let failures = 0
  let backOff: Keeper['backOff'] = null
  /** Asleep since the last act, so that waking needs no look at the database. */
  let dozing: Dozing | null = null
  let recorded: Promise<unknown> = Promise.resolve()

  const say = (level: 'ok' | 'warn', text: string) => logs.append(appId, 'node', [{ level, text }])
  const set = (instance: Instance, state: InstanceState, more: { address?: string; reason?: string } = {}) =>
    setInstance(database, { id: instance.id, state, since: clock.now(), ...more })

  async function targetOf(app: App): Promise<Target | null> {
    if (app.stopped || app.release === null || !permitted(app.state).compute) return null
    const release = await builds.releaseByHash(app.id, app.release)
    const payer = await funding.payerOf(app.id, 'run')
    return release && payer !== null ? { app, release, payer } : null
  }

  /** Its last reading is counted and charged before anything of it is forgotten. */
  async function retire(instance: Instance, reason: string, graceMs = GRACE_MS): Promise<void> {
    diagnostics.debug('phase', { phase: 'stop', app: appId })
    await set(instance, 'stopping', { reason })
    if (await stateOf(instance)) await sandbox.stop({ id: instance.id, graceMs })
    await metering.detach(instance.id)
    await metering.settle(appId)
    await deps.carryOut(instance)
    await sandbox.remove({ id: instance.id })
    await set(instance, 'gone', { reason })
  }

  const stateOf = async ({ id }: Instance) => (await sandbox.list()).find((one) => one.id === id)?.state

  /** The new instance once it answers; else why not. */
  async function start(target: Target, deployment: string | null): Promise<Instance | Refusal> {
    diagnostics.debug('phase', { phase: 'start', app: appId })
    const { app, release, payer } = target
    const startedAt = clock.now()
    const id = `i-${newId({ nowMs: startedAt.getTime() })}`
    const row = { id, app: app.id, release: release.sha256, payer, deployment, startedAt }
    const instance = await insertInstance(database, row)
    const unpaid = await metering.attach({ app: app.id, instance: instance.id, payer })
    if (unpaid) {
      await set(instance, 'gone', { reason: unpaid.sentence })
      return unpaid
    }
    try {
      const prepared = await data.prepare({ app, plan: release.plan, payer, letGo: () => letGo(instance) })
      if (isRefusal(prepared)) {
        await retire(instance, prepared.sentence)
        return prepared
      }
      const { web: argv, runImage: image, env } = release.plan
      const { address } = await sandbox.start(
        specOf({
          id: instance.id,
          release: { sha256: release.sha256, image, argv, env },
          limits,
          url: `http://${name(app).host}:${config.listen.port}`,
          funded: payer.startsWith('app/'),
          data: prepared,
        }),
      )
      const unhealthy = await untilHealthy(clock, {
        address,
        port: APP_PORT,
        timeoutMs: HEALTHY_WITHIN_MS,
        ended: async () => (await sandbox.wait({ id: instance.id, timeoutMs: 0 }))?.sentence ?? null,
        signal: stopping,
      })
      if (unhealthy !== null) {
        await retire(instance, unhealthy)
        return refuse('server-error/cannot-complete-request', `The app ${unhealthy}.`, 'Its log says what it printed.')
      }
      await sandbox.limit({ id: instance.id, cpuPercent: limits.cpuPercent })
      await set(instance, 'awake', { address })
      await router.route({ ...name(app), address, port: APP_PORT })
      const tookMs = clock.now().getTime() - startedAt.getTime()
      await say('ok', `release ${release.number} answers after ${tookMs} ms`)
      const awake: Instance = { ...instance, state: 'awake', address }
      deps.watch(awake)
      return awake
    } catch (error) {
      // It may be half there: it goes, and the caller tries again.
      if (stopping.aborted) await retire(instance, 'the node was stopped before it answered', 0)
      else await retire(instance, 'could not be started')
      throw error
    }
  }

  /** A disk of the app grows, which on this machine it can only while nobody uses it. */
  async function letGo(but: Instance): Promise<void> {
    const app = await apps.find(appId)
    if (app) await router.park(name(app))
    for (const other of await liveInstances(database, appId))
      if (other.id !== but.id) await drain(other, 'stopped while its disk grows')
  }

  /** Requests go elsewhere first, those under way end, then it stops. */
  async function drain(instance: Instance, reason: string): Promise<void> {
    if (instance.address !== null) {
      const where = { app: appId, address: instance.address, port: APP_PORT }
      if (instance.state === 'asleep') {
        await data.wake(appId)
        await sandbox.thaw({ id: instance.id })
      }
      await router.drained({ ...where, timeoutMs: DRAIN_MS })
    }
    await retire(instance, reason)
  }

  async function halt(live: readonly Instance[], reason: string): Promise<void> {
    await router.unroute({ app: appId })
    for (const instance of live) await drain(instance, reason)
    await data.stop(appId)
  }

  async function deploy(app: App, deployment: string): Promise<void> {
    const release = await builds.release(deployment)
    // Told again, after a kill or once a newer one was faster: its fate is decided, and is not decided anew.
    if (!release || (await builds.deployment(deployment))?.status !== 'starting') return keep()
    const payer = permitted(app.state).compute ? await funding.payerOf(app.id, 'run') : null
    const live = await liveInstances(database, app.id)
    // A release that nobody pays to run is the app's all the same: the first payment starts it.
    const rest = async (detail: string) => {
      await database.transaction((tx) => builds.running(tx, deployment, detail))
      return halt(live, 'replaced by a newer release')
    }
    if (app.stopped) return rest('the app is stopped')
    if (payer === null) return rest(UNPAID)
    await database.transaction((tx) => builds.starting(tx, deployment, 'starting, waiting for the first answer'))
    const started = await start({ app, release, payer }, deployment)
    // The build itself may have taken the last of the money.
    if (isRefusal(started) && started.refusal === 'request-declined/payment-required') return rest(UNPAID)
    await database.transaction(async (tx) => {
      if (isRefusal(started)) {
        const { sentence, nextStep = null } = started
        await builds.startFailed(tx, deployment, { sentence, nextStep })
      } else await builds.running(tx, deployment, `release ${release.number} answers`)
    })
    if (isRefusal(started)) {
      if ((await liveInstances(database, appId)).length === 0) await data.stop(appId)
      return
    }
    failures = 0
    backOff = null
    for (const old of live) await drain(old, 'replaced by a newer release')
  }

  async function keep(deployment?: string): Promise<void> {
    const app = await apps.find(appId)
    if (!app) return
    await clearHalves()
    if (deployment !== undefined) return deploy(app, deployment)
    const target = await targetOf(app)
    const live = await liveInstances(database, appId)
    if (!target) {
      backOff = null
      if (live.length > 0) {
        diagnostics.debug('phase', { phase: 'freeze', app: appId })
        await say('warn', app.stopped ? 'stopped by its admin' : `${app.state}: stopped until somebody pays`)
      }
      return halt(live, app.stopped ? 'stopped by its admin' : 'no money')
    }
    // The newest is the one that requests are routed to.
    const right = live.findLast((one) => one.release === target.release.sha256 && one.payer === target.payer)
    if (right) {
      for (const other of live) if (other !== right) await drain(other, 'one copy is enough')
      return
    }
    if (backOff && clock.monotonicMs() < backOff.untilMs) return
    const started = await start(target, null).catch((error: unknown) => {
      // No row is left to look at, so the back-off is what brings it back.
      failed('The app could not be started just now.')
      throw error
    })
    if (isRefusal(started)) {
      await data.sleep(appId)
      return failed(started.sentence)
    }
    backOff = null
    for (const old of live) await drain(old, 'replaced')
  }

  /** Acts of one app do not overlap: what is half started or half stopped now belongs to one that failed. */
  async function clearHalves(): Promise<void> {
    for (const row of await liveInstances(database, appId))
      if (row.state === 'starting' || row.state === 'stopping') await retire(row, row.reason ?? 'was not started whole')
  }

  function failed(sentence: string): void {
    failures++
    const waitMs = Math.min(1000 * 2 ** Math.min(failures - 1, 10), LONGEST_BACK_OFF_MS)
    backOff = { untilMs: clock.monotonicMs() + waitMs, sentence }
  }

  /** Every other act finds the row as the last waking left it, and ends what waking relied on. */
  const act = async <T>(work: () => Promise<T>): Promise<T> => {
    await recorded
    dozing = null
    return work()
  }

  return {
    get backOff() {
      return backOff
    },
    keep: (deployment) => act(() => keep(deployment)),
    async wake() {
      const known = dozing
      dozing = null
      if (known && (await thaw(known))) return 'ready'
      const app = await apps.find(appId)
      if (!app) return refuse('client-error/not-found', 'There is no such app here.')
      const instance = (await awakeOrAsleep()).at(-1)
      if (instance && (await resume(app, instance))) return 'ready'
      if (app.stopped)
        return refuse('access-denied', 'Its admin stopped this app.', 'Its page says what it costs to run.')
      if (app.release === null) return unbuilt(await builds.latest(appId))
      if (!(await targetOf(app)))
        return refuse(
          'request-declined/payment-required',
          'The app is frozen: nobody pays for it now.',
          'Pay any amount.',
        )
      const waitMs = (backOff?.untilMs ?? 0) - clock.monotonicMs()
      // A timer may ring a fraction of a millisecond early, and `keep` would find that it is not time yet.
      if (waitMs > 0 && waitMs < PATIENCE_MS) await clock.sleep(Math.ceil(waitMs) + 1, stopping)
      stopping.throwIfAborted()
      await keep()
      if ((await awakeOrAsleep()).length > 0) return 'ready'
      return refuse('server-error/cannot-complete-request', backOff?.sentence ?? 'The app does not start.')
    },
    sleep: () => act(sleep),
    close: () => act(async () => halt(await liveInstances(database, appId), 'the node was stopped')),
    ended: (instance, exit) => act(() => ended(instance, exit)),
  }

  async function sleep(): Promise<void> {
    const app = await apps.find(appId)
    const [instance] = await liveInstances(database, appId)
    if (!app || instance?.state !== 'awake' || instance.address === null) return
    const where = { ...name(app), address: instance.address, port: APP_PORT }
    const outcome = await doze({
      router,
      ...where,
      freeze: async () => {
        diagnostics.debug('phase', { phase: 'freeze', app: appId })
        await set(instance, 'asleep')
        await sandbox.freeze({ id: instance.id })
      },
      thaw: async () => {
        await sandbox.thaw({ id: instance.id })
        await set(instance, 'awake')
      },
    })
    if (outcome === 'busy') return
    dozing = { instance, where }
    await data.sleep(appId)
    await say('ok', 'asleep in memory: nobody asked for it')
  }

  /** Thaws it if it sleeps; false if there is nothing to thaw any more. */
  async function resume(app: App, instance: Instance): Promise<boolean> {
    if (instance.address === null) return false
    const where = { ...name(app), address: instance.address, port: APP_PORT }
    if (instance.state === 'asleep' && (await thaw({ instance, where }))) return true
    // Asked for one that is awake: it could not be reached, or its route is still on its way.
    if (instance.state === 'awake' && (await stateOf(instance)) === 'running') {
      await router.route(where)
      return true
    }
    await ended(instance, null)
    return false
  }

  /**
   * A visitor waits: the row follows after the answer. One that still says asleep while the app runs is put right
   * by whoever finds it after a kill.
   */
  async function thaw({ instance, where }: Dozing): Promise<boolean> {
    diagnostics.debug('phase', { phase: 'thaw', app: appId })
    await data.wake(appId)
    try {
      // Routed at the same time: a frozen app's kernel takes connections already.
      const [{ state }] = await Promise.all([sandbox.thaw({ id: instance.id }), router.route(where)])
      if (state !== 'running') return false
    } catch (error) {
      if (error instanceof SandboxRefused) return false
      throw error
    }
    recorded = set(instance, 'awake').catch((error: unknown) =>
      diagnostics.warn('an app is awake and its row says asleep', { app: appId, error }),
    )
    return true
  }

  async function ended(instance: Instance, exit: Pick<Exit, 'sentence'> | null): Promise<void> {
    const row = (await awakeOrAsleep()).find(({ id }) => id === instance.id)
    if (!row) return
    const now = (await sandbox.list()).find(({ id }) => id === row.id)
    if (!exit && now && now.state !== 'exited') return
    const { sentence } = exit ?? now?.exit ?? { sentence: 'is gone without a trace' }
    const app = await apps.find(appId)
    // Whoever asks meanwhile is held until it is started again.
    if (app && (await targetOf(app))) await router.park(name(app))
    else await router.unroute({ app: appId })
    await retire(row, sentence)
    await say('warn', sentence)
    if (clock.now().getTime() - row.startedAt.getTime() > STEADY_MS) failures = 0
    failed(`The app ${sentence}.`)
  }

  async function awakeOrAsleep(): Promise<Instance[]> {
    return (await liveInstances(database, appId)).filter(({ state }) => state === 'awake' || state === 'asleep')
  }
}
