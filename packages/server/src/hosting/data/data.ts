/** An app's durable data: what its instances mount, the database beside them, and what all of it costs. */
import { isRefusal, refuse, type Refusal } from '@perennial/protocol'
import { SandboxRefused, type Mount, type Sandbox, type SandboxClient } from '@perennial/sandbox/client'
import type { App, Apps, Logs } from '../../apps/index.ts'
import type { AccountName, Metering } from '../../metering/index.ts'
import type { Services } from '../../services.ts'
import type { Plan } from '../../source/index.ts'
import { openBackups, type Backups } from './backups.ts'
import { openChores } from './chores.ts'
import { CONNECTION, SOCKET_FOLDER } from './database-program.ts'
import { databaseIdOf, openDatabases, type KeptApp } from './databases.ts'
import { openDisks, ownerOf, sizeText } from './disks.ts'
import { openRestores, type Restores } from './restores.ts'
import type { Stage } from './stage.ts'

export interface DataDeps {
  readonly sandbox: SandboxClient
  readonly apps: Pick<Apps, 'find'>
  readonly metering: Pick<Metering, 'attach' | 'detach' | 'settle' | 'keep'>
  readonly logs: Pick<Logs, 'append'>
  /** Who pays for what runs of an app; null: nobody. */
  readonly payerOf: (app: string) => Promise<AccountName | null>
  readonly stage: Stage
}

export interface Preparation {
  readonly app: Pick<App, 'id'>
  readonly plan: Pick<Plan, 'volumes' | 'database'>
  readonly payer: AccountName
  /** Stops whatever of the app runs: on some machines a disk can only grow while nothing has it mounted. */
  readonly letGo: () => Promise<void>
}

/** What a sandbox of the app is to be given. */
export interface Prepared {
  readonly owner: string | null
  readonly mounts: readonly Mount[]
  readonly env: Readonly<Record<string, string>>
}

export interface Data {
  /** Before a sandbox of the app starts: its volumes are there and large enough, its database runs and answers. */
  prepare(preparation: Preparation): Promise<Prepared | Refusal>
  /** After the app's last sandbox sleeps. */
  sleep(app: string): Promise<void>
  /** Before one wakes. */
  wake(app: string): Promise<void>
  /** After the last one is gone. */
  stop(app: string): Promise<void>
  readonly backups: Backups
  readonly restores: Restores
  /** Each second, with what the daemon lists: a database that ended is started again. */
  look(sandboxes: ReadonlyMap<string, Sandbox>): void
  /** After a start of the node, with the apps that went on without it. */
  reconcile(kept: readonly KeptApp[]): Promise<void>
  start(): void
  close(): Promise<void>
}

/** What volumes hold is read this often. */
const MEASURE_MS = 10_000
const MOST_VOLUMES = 7

export function openData(services: Services, deps: DataDeps): Data {
  const { config, clock, diagnostics } = services
  const { sandbox } = deps
  const disks = openDisks(services, deps)
  const databases = openDatabases(services, { ...deps, disks })
  const chores = openChores(services, deps)
  const parts = { ...deps, disks, databases, chores }
  const stop = new AbortController()
  let running: Promise<void> | undefined

  async function volumes({ app, plan, letGo }: Preparation): Promise<Mount[] | Refusal> {
    const refused = tooMuch(plan, config.app.volumesBytes)
    if (refused) return refused
    const mounts: Mount[] = []
    for (const { path, sizeBytes } of plan.volumes) {
      const disk = await disks.ensure({ app: app.id, path, sizeBytes }, letGo)
      if (isRefusal(disk)) return disk
      mounts.push({ kind: 'volume', id: disk.id, at: path })
    }
    return mounts
  }

  return {
    async prepare(preparation) {
      const { app, plan, payer, letGo } = preparation
      try {
        const mounts = await volumes(preparation)
        if (isRefusal(mounts)) return mounts
        const owner = mounts.length > 0 ? ownerOf(app.id, '/') : null
        if (plan.database === null) {
          databases.unwanted(app.id)
          return { owner, mounts, env: {} }
        }
        const failed = await databases.up({ app: app.id, payer, letGo })
        if (failed) return failed
        const share: Mount = { kind: 'share', id: databaseIdOf(app.id), at: SOCKET_FOLDER }
        return { owner, mounts: [...mounts, share], env: CONNECTION }
      } catch (error) {
        if (!(error instanceof SandboxRefused) || error.code !== 'invalid') throw error
        return refuse('client-error/invalid-arguments', `The app’s data cannot be mounted: ${error.message}.`)
      }
    },
    sleep: (app) => databases.sleep(app),
    wake: (app) => databases.wake(app),
    stop: (app) => databases.stop(app),
    backups: openBackups(services, parts),
    restores: openRestores(services, parts),
    look: (sandboxes) => databases.look(sandboxes),
    async reconcile(kept) {
      await databases.reconcile(kept, new Map((await sandbox.list()).map((one) => [one.id, one])))
      await chores.sweep()
      await disks.sweep()
    },
    start() {
      running ??= (async () => {
        while (!stop.signal.aborted) {
          await disks
            .measure()
            .then(() => disks.sweep())
            .catch((error: unknown) => diagnostics.warn('volumes could not be looked at; trying again', { error }))
          await clock.sleep(MEASURE_MS, stop.signal)
        }
      })()
    },
    async close() {
      stop.abort()
      await running
    },
  }
}

function tooMuch({ volumes }: Pick<Plan, 'volumes'>, mostBytes: number): Refusal | null {
  const sizeBytes = volumes.reduce((sum, volume) => sum + volume.sizeBytes, 0)
  if (sizeBytes <= mostBytes && volumes.length <= MOST_VOLUMES) return null
  return refuse(
    'client-error/invalid-arguments',
    `The app asks for ${volumes.length} volumes of ${sizeText(sizeBytes)} together; an app may have ${MOST_VOLUMES} of ${sizeText(mostBytes)}.`,
    'Ask for less in perennial.json and deploy again.',
  )
}
