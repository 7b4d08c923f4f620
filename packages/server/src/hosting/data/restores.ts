/**
 * Restoring: the app's data is replaced as a whole by what a backup holds.
 *
 * New disks are filled beside the current ones while the app goes on; then it stops, one transaction says that the new
 * ones are the app's, and it starts. Before that transaction a kill leaves everything as it was and the restore begins
 * anew; after it everything is new, and what the app had is removed.
 */
import { isRefusal, newId, permitted, refuse, type Refusal } from '@perennial/protocol'
import { SandboxRefused } from '@perennial/sandbox/client'
import type { Apps, Logs } from '../../apps/index.ts'
import type { Job } from '../../jobs.ts'
import type { AccountName } from '../../metering/index.ts'
import type { Services } from '../../services.ts'
import { databaseDisksOf, shortOf } from './backups.ts'
import { loadDatabase, unpackFiles } from './backup-program.ts'
import type { Chores } from './chores.ts'
import type { Databases } from './databases.ts'
import { isVolume, type Disks } from './disks.ts'
import {
  backupById,
  backupDisks,
  endRestore,
  insertRestore,
  restoreById,
  restoresOf,
  type Backup,
  type Restore,
} from './queries/backups.ts'
import { switchDisks, type Disk } from './queries/disks.ts'
import type { Stage } from './stage.ts'

export interface RestoresDeps {
  readonly apps: Pick<Apps, 'find'>
  readonly logs: Pick<Logs, 'append'>
  readonly payerOf: (app: string) => Promise<AccountName | null>
  readonly stage: Pick<Stage, 'cleared'>
  readonly disks: Disks
  readonly databases: Pick<Databases, 'stop'>
  readonly chores: Chores
}

export interface Restores {
  ask(wanted: { app: string; backup: string; by: string | null }): Promise<Restore | Refusal>
  /** Newest first. */
  of(app: string): Promise<Restore[]>
}

const SHOWN = 5
const MOST_ATTEMPTS = 5
const JOB = 'restore'

export function openRestores(services: Services, deps: RestoresDeps): Restores {
  const { database, clock, jobs } = services
  const { apps, logs, payerOf, stage, disks, databases, chores } = deps

  async function run(job: Job, signal: AbortSignal): Promise<void> {
    const restore = await restoreById(database, String(job.data['restore']))
    if (!restore) return
    await disks.abandon(restore.id)
    if (restore.state !== 'waiting') return
    const failed =
      job.attempt > MOST_ATTEMPTS ? refuse('server-error', 'The node failed to do it.') : await attempt(restore, signal)
    if (failed) await fail(restore, failed)
    await disks.abandon(restore.id)
  }

  async function fail({ id, app }: Restore, { sentence, nextStep }: Refusal): Promise<void> {
    const problem = [sentence, 'The data is as it was.', nextStep].filter(Boolean).join(' ')
    await endRestore(database, id, { state: 'failed', problem, at: clock.now() })
    await logs.append(app, 'node', [{ level: 'warn', text: `the backup was not restored: ${sentence}` }])
  }

  async function attempt(restore: Restore, signal: AbortSignal): Promise<Refusal | null> {
    const { id, app } = restore
    const backup = await backupById(database, restore.backup)
    if (backup?.state !== 'kept') return refuse('client-error/not-found', 'The backup is not there any more.')
    const found = await apps.find(app)
    const payer = found && permitted(found.state).compute ? await payerOf(app) : null
    if (payer === null)
      return refuse('request-declined/payment-required', 'Nobody pays for the work that it takes.', 'Pay any amount.')
    const filled = await fill({ backup, cause: id, payer, signal })
    if (isRefusal(filled)) return filled
    await stage.cleared(app, 'stopped while a backup is restored', async () => {
      await databases.stop(app)
      await database.transaction(async (tx) => {
        await switchDisks(tx, app, id)
        await endRestore(tx, id, { state: 'done', problem: null, at: clock.now() })
      })
      await logs.append(app, 'node', [{ level: 'ok', text: `the data is that of ${backup.takenAt?.toISOString()}` }])
    })
    return null
  }

  async function fill(wanted: {
    backup: Backup
    cause: string
    payer: AccountName
    signal: AbortSignal
  }): Promise<Refusal | null> {
    const { backup, cause, payer, signal } = wanted
    const { app } = backup
    try {
      const made: Disk[] = []
      const sizes = new Map((await disks.current(app)).map(({ path, sizeBytes }) => [path, sizeBytes]))
      for (const { path, sizeBytes } of await backupDisks(database, backup.id))
        made.push(await disks.make({ app, path, sizeBytes: Math.max(sizeBytes, sizes.get(path) ?? 0) }, cause))
      for (const file of backup.files) {
        const place = { id: `k-${shortOf(cause)}-${file.part.charAt(0)}` }
        const database_ = databaseDisksOf(made)
        if (file.part === 'database' && !database_)
          throw new Error(`backup ${backup.id} has a dump and no disks for it`)
        const spec =
          file.part === 'database' && database_
            ? loadDatabase(place, database_, file)
            : unpackFiles(place, made.filter(isVolume), file)
        const failed = await chores.run({ app, payer, spec, name: `Unpacking the ${file.part}`, signal })
        if (failed) return failed
      }
      return null
    } catch (error) {
      if (error instanceof SandboxRefused && error.code === 'no-room')
        return refuse('server-error/cannot-complete-request', 'This machine has no room for it.', 'Tell the operator.')
      throw error
    }
  }

  jobs.handle(JOB, run, { atOnce: 2 })

  return {
    async ask({ app, backup: wanted, by }) {
      const backup = await backupById(database, wanted)
      if (backup?.state !== 'kept' || backup.app !== app)
        return refuse(
          'client-error/not-found',
          `The app has no backup ${wanted}.`,
          'Its backups are listed on its page.',
        )
      const id = newId({ nowMs: clock.now().getTime() })
      const asked = await database.transaction(async (tx) => {
        if (!(await insertRestore(tx, { id, app, backup: wanted, by, at: clock.now() }))) return false
        await jobs.enqueue(tx, JOB, { restore: id }, { key: id })
        return true
      })
      const restore = asked ? await restoreById(database, id) : undefined
      return (
        restore ?? refuse('client-error/conflict', 'A backup of the app is being restored.', 'Wait until it is done.')
      )
    },
    of: (app) => restoresOf(database, app, SHOWN),
  }
}
