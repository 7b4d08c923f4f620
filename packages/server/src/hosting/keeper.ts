/**
 * Keeps one app as it should be: the release it has, run by whoever pays, or not at all. One act at a time per app.
 *
 *   starting → awake ⇄ asleep → stopping → gone
 *
 * A row is written before each act and after it, so that a node killed in between finds out what it was at.
 */
import { isRefusal, permitted, refuse, type Refusal } from '@perennial/protocol'
import { SandboxRefused, type Exit } from '@perennial/sandbox/client'
import type { App, AppConfig, Apps, Logs } from '../apps/index.ts'
import type { Builds, Release } from '../builds/index.ts'
import type { Funding } from '../funding/index.ts'
import type { Transaction } from '../database.ts'
import type { Services } from '../services.ts'
import type { Plan } from '../source/index.ts'
import { doze } from './doze.ts'
import { missingSettings, waitsFor } from './needs.ts'
import { openLauncher, type LauncherDeps } from './launch.ts'
import { openOnce, type Begun, type OnceTask } from './once.ts'
import { liveInstances, liveSides, type Instance } from './queries.ts'
import type { Router } from './router.ts'
import { openRest } from './rest.ts'
import { APP_PORT } from './spec.ts'
import { isRight, mayWorkInBackground, targetOf, type Target } from './target.ts'
import { startWebProcess } from './web-process.ts'
import { whyNot } from './why-not.ts'
import { openWorkers } from './workers.ts'

export interface KeeperDeps extends LauncherDeps {
  readonly apps: Apps
  readonly builds: Builds
  readonly funding: Pick<Funding, 'payerOf'>
  readonly logs: Logs
  readonly settings: Pick<AppConfig, 'environment' | 'generate' | 'forget'>
  readonly router: Router
  /** From here on its end is noticed as it happens. */
  readonly watch: (instance: Instance) => void
  /** In the transaction in which a release becomes the app's. */
  readonly deployed: (tx: Transaction, app: string, plan: Plan) => Promise<void>
}

const DRAIN_MS = 10_000
/** One that ran this long has started well: a later end is a new story. */
const STEADY_MS = 60_000
const LONGEST_BACK_OFF_MS = 60_000
/** A visitor waits this long for an app that is to be started again; later ones are told so. */
const PATIENCE_MS = 8_000
const UNPAID = 'runs with the first payment'

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
  close(reason?: string): Promise<void>
  /** Its sandbox ended by itself; without `exit` it is not there any more. */
  ended(instance: Instance, exit: Pick<Exit, 'sentence'> | null): Promise<void>
  /** Starts a command that runs once, beside whatever else runs; who began it waits for its end. */
  begin(task: OnceTask): Promise<Begun | Refusal>
  /** After its end, or to end it. */
  finish(begun: Begun, reason: string): Promise<void>
  /** When a worker that failed is to be tried again; null: none is. */
  readonly workersDueMs: number | null
  /** Why it is not started just now; null: it may be. */
  readonly backOff: { readonly untilMs: number; readonly sentence: string } | null
}

export function openKeeper(services: Services, deps: KeeperDeps, appId: string): Keeper {
  const { config, database, clock, diagnostics } = services
  const { apps, builds, funding, data, logs, sandbox, settings, router, limits, stopping } = deps
  const name = (app: App) => ({ app: app.id, host: `${app.slug}.${config.appsDomain}` })
  const launcher = openLauncher(services, deps)
  const workers = openWorkers(services, { ...deps, launcher, letGo }, appId)
  const once = openOnce(services, { ...deps, launcher, letGo }, appId)
  const rest = openRest(database, data, appId)
  let failures = 0
  let backOff: Keeper['backOff'] = null
  /** Asleep since the last act, so that waking needs no look at the database. */
  let dozing: Dozing | null = null
  let recorded: Promise<unknown> = Promise.resolve()

  const say = (level: 'ok' | 'warn', text: string) => logs.append(appId, 'node', [{ level, text }])
  const set = launcher.note
  const retire = async (instance: Instance, reason: string): Promise<void> => {
    diagnostics.debug('phase', { phase: 'stop', app: appId })
    await launcher.retire(instance, reason)
  }

  const stateOf = async ({ id }: Instance) => (await sandbox.list()).find((one) => one.id === id)?.state

  /** The new instance once it answers; else why not. */
  async function start(target: Target, deployment: string | null): Promise<Instance | Refusal> {
    diagnostics.debug('phase', { phase: 'start', app: appId })
    const { app, release } = target
    return startWebProcess(
      { ...target, deployment, letGo },
      {
        clock,
        sandbox,
        launcher,
        limits,
        stopping,
        async open(instance) {
          await router.route({ ...name(app), address: instance.address, port: APP_PORT })
          const tookMs = clock.now().getTime() - instance.startedAt.getTime()
          await say('ok', `release ${release.number} answers after ${tookMs} ms`)
          deps.watch(instance)
        },
      },
    )
  }

  /** A disk of the app grows, which on this machine it can only while nobody uses it. */
  async function letGo(but: Instance): Promise<void> {
    const app = await apps.find(appId)
    if (app) await router.park(name(app))
    for (const other of await liveInstances(database, appId)) {
      if (other.id === but.id) continue
      // Not woken first: its database may be what waits for this.
      if (other.state === 'asleep') await retire(other, 'stopped while its disk grows')
      else await drain(other, 'stopped while its disk grows')
    }
    for (const other of await liveSides(database, appId))
      if (other.id !== but.id) await retire(other, 'stopped while its disk grows')
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
    for (const side of await liveSides(database, appId)) await retire(side, reason)
    await data.stop(appId)
  }

  async function deploy(app: App, deployment: string): Promise<void> {
    const release = await builds.release(deployment)
    // Told again, after a kill or once a newer one was faster: its fate is decided, and is not decided anew.
    if (!release || (await builds.deployment(deployment))?.status !== 'starting') return keep()
    const payer = permitted(app.state).compute ? await funding.payerOf(app.id, 'run') : null
    const live = await liveInstances(database, app.id)
    // A release that nobody pays to run is the app's all the same: the first payment starts it.
    const unpaid = async (detail: string) => {
      await database.transaction((tx) => becomes(tx, release, detail))
      return halt(live, 'replaced by a newer release')
    }
    const unset = waitsFor(await missingSettings(settings, release), app)
    if (unset !== null) {
      await database.transaction((tx) => builds.waits(tx, deployment, unset))
      return say('warn', unset)
    }
    if (app.stopped) return unpaid('the app is stopped')
    if (payer === null) return unpaid(UNPAID)
    const target = { app, release, payer }
    const started = (await releasePhase(target, deployment)) ?? (await startNow(target, deployment))
    // The build itself may have taken the last of the money.
    if (isRefusal(started) && started.refusal === 'request-declined/payment-required') return unpaid(UNPAID)
    await database.transaction(async (tx) => {
      if (isRefusal(started)) {
        const { sentence, nextStep = null } = started
        await builds.startFailed(tx, deployment, { sentence, nextStep })
      } else await becomes(tx, release, `release ${release.number} answers`)
    })
    if (isRefusal(started)) {
      return rest.data()
    }
    failures = 0
    backOff = null
    for (const old of live) await drain(old, 'replaced by a newer release')
    await workers.follow(target, 'replaced by a newer release')
  }

  async function becomes(tx: Transaction, release: Release, detail: string): Promise<void> {
    const { app, deployment, plan, configVersion } = release
    await builds.running(tx, deployment, detail)
    await settings.forget(tx, app, configVersion)
    await deps.deployed(tx, app, plan)
  }

  async function startNow(target: Target, deployment: string): Promise<Instance | Refusal> {
    await database.transaction((tx) => builds.starting(tx, deployment, 'starting, waiting for the first answer'))
    return start(target, deployment)
  }

  /** Null: there is none, or it went well. Visitors of the release before are answered meanwhile. */
  async function releasePhase(target: Target, deployment: string): Promise<Refusal | null> {
    const argv = target.release.plan.processes['release']
    if (argv === undefined) return null
    const asleep = (await awakeOrAsleep()).at(-1)
    if (asleep?.state === 'asleep') await resume(target.app, asleep)
    await database.transaction((tx) => builds.starting(tx, deployment, 'the release phase runs'))
    return once.through({ ...target, process: 'release', argv })
  }

  async function keep(deployment?: string): Promise<void> {
    const app = await apps.find(appId)
    if (!app) return
    await clearHalves()
    if (deployment !== undefined) return deploy(app, deployment)
    const target = await targetOf(app, deps)
    const live = await liveInstances(database, appId)
    if (!target) {
      backOff = null
      if (live.length > 0 || !(await rest.alone())) {
        diagnostics.debug('phase', { phase: 'freeze', app: appId })
        await say('warn', app.stopped ? 'stopped by its admin' : `${app.state}: stopped until somebody pays`)
      }
      await workers.follow(null, 'no money')
      return halt(live, app.stopped ? 'stopped by its admin' : 'no money')
    }
    // The newest is the one that requests are routed to.
    const right = live.findLast((one) => isRight(one, target))
    if (right) {
      for (const other of live) if (other !== right) await drain(other, 'one copy is enough')
      await workers.follow(target, 'replaced')
      return rest.data()
    }
    if (backOff && clock.monotonicMs() < backOff.untilMs) return
    const started = await start(target, null).catch((error: unknown) => {
      // No row is left to look at, so the back-off is what brings it back.
      failed('The app could not be started just now.')
      throw error
    })
    if (isRefusal(started)) {
      if (live.length === 0 && (await rest.alone())) await data.sleep(appId)
      return failed(started.sentence)
    }
    backOff = null
    for (const old of live) await drain(old, 'replaced')
    await workers.follow(target, 'replaced')
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
      if (!(await targetOf(app, deps))) return whyNot(app, await builds.latest(appId))
      const waitMs = (backOff?.untilMs ?? 0) - clock.monotonicMs()
      // A timer may ring a fraction of a millisecond early, and `keep` would find that it is not time yet.
      if (waitMs > 0 && waitMs < PATIENCE_MS) await clock.sleep(Math.ceil(waitMs) + 1, stopping)
      stopping.throwIfAborted()
      await keep()
      if ((await awakeOrAsleep()).length > 0) return 'ready'
      return refuse('server-error/cannot-complete-request', backOff?.sentence ?? 'The app does not start.')
    },
    sleep: () => act(sleep),
    close: (reason = 'the node was stopped') => act(async () => halt(await liveInstances(database, appId), reason)),
    ended: (instance, exit) =>
      act(() => (instance.process === 'web' ? ended(instance, exit) : workers.ended(instance, exit))),
    begin: (task) =>
      act(async () => {
        const app = await apps.find(appId)
        const target = app && (await targetOf(app, deps))
        if (!target || !mayWorkInBackground(target))
          return refuse(
            'request-declined/payment-required',
            'Commands run while the app’s purse pays for them.',
            'Pay any amount.',
          )
        await data.wake(appId)
        const begun = await once.begin({ ...target, ...task })
        if (isRefusal(begun)) await rest.data()
        return begun
      }),
    finish: (begun, reason) =>
      act(async () => {
        await once.finish(begun, reason)
        await rest.data()
      }),
    get workersDueMs() {
      return workers.dueMs
    },
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
    if (await rest.alone()) await data.sleep(appId)
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
    if (app && (await targetOf(app, deps))) await router.park(name(app))
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
