/**
 * One sandbox of an app, from its row to its removal: its web process, a worker, or a command that runs once.
 *
 * A row is written before each act and after it, so that a node killed in between finds out what it was at.
 */
import { isRefusal, newId, type Limits, type Refusal } from '@perennial/protocol'
import type { SandboxClient } from '@perennial/sandbox/client'
import type { App, AppConfig } from '../apps/index.ts'
import type { Release } from '../builds/index.ts'
import type { Metering } from '../metering/index.ts'
import type { Services } from '../services.ts'
import type { Data } from './data/index.ts'
import { insertInstance, setInstance, type Instance, type InstanceState } from './queries.ts'
import { BOOT_CPU_PERCENT, specOf } from './spec.ts'

export interface LauncherDeps {
  readonly metering: Pick<Metering, 'attach' | 'detach' | 'settle'>
  readonly data: Data
  readonly settings: Pick<AppConfig, 'environment'>
  readonly sandbox: SandboxClient
  readonly limits: Limits
  /** What an instance printed to its end is carried over before its sandbox goes. */
  readonly carryOut: (instance: Instance) => Promise<void>
  /** The node stops: nobody waits for what is being started. */
  readonly stopping: AbortSignal
}

export interface Launch {
  readonly app: App
  readonly release: Release
  readonly payer: string
  readonly process: string
  readonly once: boolean
  readonly argv: readonly string[]
  /** The deployment whose fate this start decides. */
  readonly deployment: string | null
  /** Stops whatever else of the app runs: on some machines a disk can only grow while nothing has it mounted. */
  readonly letGo: (but: Instance) => Promise<void>
}

export interface Launcher {
  /** It runs, and its row says `starting`. */
  launch(launch: Launch): Promise<Instance | Refusal>
  /** Its last reading is counted and charged before anything of it is forgotten. */
  retire(instance: Instance, reason: string, graceMs?: number): Promise<void>
  /** After an error: it may be half there. */
  discard(instance: Instance): Promise<void>
  note(instance: Instance, state: InstanceState, more?: { address?: string; reason?: string }): Promise<void>
}

const GRACE_MS = 10_000

export function openLauncher(services: Services, deps: LauncherDeps): Launcher {
  const { config, database, clock } = services
  const { metering, data, sandbox, limits, stopping } = deps

  const note: Launcher['note'] = (instance, state, more = {}) =>
    setInstance(database, { id: instance.id, state, since: clock.now(), ...more })

  async function retire(instance: Instance, reason: string, graceMs = GRACE_MS): Promise<void> {
    await note(instance, 'stopping', { reason })
    const there = (await sandbox.list()).some(({ id }) => id === instance.id)
    if (there) await sandbox.stop({ id: instance.id, graceMs })
    await metering.detach(instance.id)
    await metering.settle(instance.app)
    await deps.carryOut(instance)
    await sandbox.remove({ id: instance.id })
    await note(instance, 'gone', { reason })
  }

  const discard = (instance: Instance): Promise<void> =>
    stopping.aborted
      ? retire(instance, 'the node was stopped before it answered', 0)
      : retire(instance, 'could not be started')

  async function begin(instance: Instance, launch: Launch): Promise<Instance | Refusal> {
    const { app, release, payer, argv, letGo } = launch
    const { plan } = release
    const prepared = await data.prepare({ app, plan, payer, letGo: () => letGo(instance) })
    if (isRefusal(prepared)) {
      await retire(instance, prepared.sentence)
      return prepared
    }
    const set = await deps.settings.environment(app.id, release.configVersion)
    const { address } = await sandbox.start(
      specOf({
        id: instance.id,
        release: { sha256: release.sha256, image: plan.runImage, argv, env: plan.env, cwd: plan.cwd },
        limits,
        cpuPercent: instance.process === 'web' ? BOOT_CPU_PERCENT : limits.cpuPercent,
        url: `http://${app.slug}.${config.appsDomain}:${config.listen.port}`,
        funded: payer.startsWith('app/'),
        data: { ...prepared, env: { ...prepared.env, ...set } },
      }),
    )
    return { ...instance, address }
  }

  return {
    async launch(launch) {
      const { app, release, payer, process, once, deployment } = launch
      const startedAt = clock.now()
      const id = `i-${newId({ nowMs: startedAt.getTime() })}`
      const row = {
        id,
        app: app.id,
        process,
        once,
        release: release.sha256,
        number: release.number,
        payer,
        deployment,
        startedAt,
      }
      const instance = await insertInstance(database, row)
      const unpaid = await metering.attach({ app: app.id, instance: id, payer })
      if (unpaid) {
        await note(instance, 'gone', { reason: unpaid.sentence })
        return unpaid
      }
      try {
        return await begin(instance, launch)
      } catch (error) {
        await discard(instance)
        throw error
      }
    },
    retire,
    discard,
    note,
  }
}
