/**
 * Backups: everything that an app keeps, as of one moment, in files of open formats that its admin can take home.
 *
 *   still → copy each disk → go on → dump and pack the copies in sandboxes → keep the archives → forget old ones
 *
 * The app stands still only while its disks are copied. Each attempt begins by removing what an earlier one left, so a
 * node that was killed makes the same backup again from nothing. The work is metered and paid by the app.
 */
import { isRefusal, newId, permitted, refuse, type Refusal } from '@perennial/protocol'
import { SandboxRefused, type SandboxClient, type SandboxSpec } from '@perennial/sandbox/client'
import type { Apps, Logs } from '../../apps/index.ts'
import type { Job } from '../../jobs.ts'
import type { AccountName, Metering } from '../../metering/index.ts'
import type { Services } from '../../services.ts'
import { DATABASE, dumpDatabase, FILES, packFiles } from './backup-program.ts'
import type { Chores } from './chores.ts'
import type { Databases } from './databases.ts'
import { isVolume, sizeText, type Disks } from './disks.ts'
import {
  appsToBackUp,
  backupById,
  backupBytes,
  backupsInState,
  backupsOf,
  deleteBackup,
  failBackup,
  insertBackup,
  keepBackup,
  markLeaving,
  type Backup,
  type BackupFile,
  type BackupKind,
} from './queries/backups.ts'
import type { Disk } from './queries/disks.ts'
import type { Stage } from './stage.ts'

export interface BackupsDeps {
  readonly sandbox: SandboxClient
  readonly apps: Pick<Apps, 'find'>
  readonly logs: Pick<Logs, 'append'>
  readonly metering: Pick<Metering, 'keep'>
  /** Who pays for what runs of an app; null: nobody. */
  readonly payerOf: (app: string) => Promise<AccountName | null>
  readonly stage: Pick<Stage, 'still'>
  readonly disks: Disks
  readonly databases: Pick<Databases, 'still'>
  readonly chores: Chores
}

export interface Backups {
  /** Makes one soon; answers the one that is under way if there is one. */
  ask(wanted: { app: string; by: string | null }): Promise<Backup | Refusal>
  /** Newest first. */
  of(app: string): Promise<Backup[]>
  /** Where one of its files lies, for whoever may download it. */
  file(backup: string, part: BackupFile['part']): Promise<(BackupFile & { readonly path: string }) | null>
}

const KEPT = { schedule: 7, demand: 3 } as const
const FAILED_FOR_MS = 7 * 86_400_000
/** Looked at once a day, which is not to the minute. */
const EVERY_MS = 20 * 3_600_000
const MOST_ATTEMPTS = 5
const MIB = 2 ** 20
const JOB = 'backup'
const PARTS = ['files', 'database'] as const

export const shortOf = (uuid: string) => uuid.replaceAll('-', '')
const scratchOf = (backup: string) => `k-${shortOf(backup)}`

export function openBackups(services: Services, deps: BackupsDeps): Backups {
  const { database, clock, jobs } = services
  const { sandbox, apps, logs, metering, payerOf, stage, disks, databases, chores } = deps

  /** Nothing is left of it but its row, its archives and what they cost. */
  async function clear({ id }: Backup): Promise<void> {
    await sandbox.removeScratch({ id: scratchOf(id) })
    await disks.abandon(id)
    // Of a try that failed: the next one copies anew, and its parts must be of one moment.
    if ((await backupById(database, id))?.state === 'kept') return
    for (const part of PARTS) await sandbox.removeArchive({ id: `${scratchOf(id)}-${part}` })
  }

  async function make(job: Job, signal: AbortSignal): Promise<void> {
    const backup = await backupById(database, String(job.data['backup']))
    if (!backup) return
    await clear(backup)
    if (backup.state !== 'making') return
    const outcome =
      job.attempt > MOST_ATTEMPTS
        ? refuse('server-error', 'The node failed to make it.')
        : await attempt(backup, signal)
    if (isRefusal(outcome)) {
      await failBackup(database, backup.id, [outcome.sentence, outcome.nextStep].filter(Boolean).join(' '), clock.now())
      await logs.append(backup.app, 'node', [{ level: 'warn', text: `no backup was made: ${outcome.sentence}` }])
    } else {
      const sizes = outcome.map(({ part, sizeBytes }) => `${part} ${sizeText(sizeBytes)}`).join(', ')
      await logs.append(backup.app, 'node', [{ level: 'ok', text: `a backup is kept: ${sizes}` }])
    }
    await clear(backup)
    await forget(backup.app)
  }

  async function attempt(backup: Backup, signal: AbortSignal): Promise<readonly BackupFile[] | Refusal> {
    const { id, app } = backup
    const payer = await payerFor(app)
    if (isRefusal(payer)) return payer
    const kept = (await disks.current(app)).filter(({ madeAt }) => madeAt !== null)
    if (kept.length === 0) return nothing()
    try {
      const { copies, takenAt } = await copy(app, kept, id)
      await sandbox.scratch({ id: scratchOf(id), sizeBytes: scratchBytes(kept) })
      const files: BackupFile[] = []
      for (const { part, spec, file } of programs(id, copies)) {
        const failed = await chores.run({ app, payer, spec, name: `Packing the ${part}`, signal })
        if (failed) return failed
        const archive = `${scratchOf(id)}-${part}`
        const { sha256, sizeBytes } = await sandbox.keepArchive({ scratch: scratchOf(id), path: file, id: archive })
        files.push({ part, archive, sha256, sizeBytes })
      }
      await database.transaction((tx) => keepBackup(tx, { id, takenAt, at: clock.now(), files, disks: kept }))
      return files
    } catch (error) {
      if (error instanceof SandboxRefused && error.code === 'no-room')
        return refuse('server-error/cannot-complete-request', 'This machine has no room for it.', 'Tell the operator.')
      throw error
    }
  }

  async function payerFor(app: string): Promise<AccountName | Refusal> {
    const found = await apps.find(app)
    const payer = found && permitted(found.state).compute ? await payerOf(app) : null
    return (
      payer ??
      refuse(
        'request-declined/payment-required',
        'Nobody pays for the work that a backup takes.',
        'Pay any amount; backups that are kept can be downloaded all the same.',
      )
    )
  }

  /** All of them as of one moment. */
  async function copy(app: string, kept: readonly Disk[], id: string): Promise<{ copies: Disk[]; takenAt: Date }> {
    return stage.still(app, () =>
      databases.still(app, async () => {
        const takenAt = clock.now()
        const copies: Disk[] = []
        for (const disk of kept) copies.push(await disks.copy(disk, id))
        return { copies, takenAt }
      }),
    )
  }

  function programs(id: string, copies: readonly Disk[]) {
    const place = (letter: string) => ({ id: `${scratchOf(id)}-${letter}`, scratch: scratchOf(id) })
    const found: { part: BackupFile['part']; spec: SandboxSpec; file: string }[] = []
    const volumes = copies.filter(isVolume)
    if (volumes.length > 0) found.push({ part: 'files', spec: packFiles(place('f'), volumes), file: FILES })
    const database = databaseDisksOf(copies)
    if (database) found.push({ part: 'database', spec: dumpDatabase(place('d'), database), file: DATABASE })
    return found
  }

  /** Old ones go, and the app pays for those that are left. */
  async function forget(app: string): Promise<void> {
    const failedSince = new Date(clock.now().getTime() - FAILED_FOR_MS)
    await markLeaving(database, app, { ...KEPT, failedSince })
    for (const { id, app: whose, files } of await backupsInState(database, 'leaving')) {
      for (const { archive } of files) await sandbox.removeArchive({ id: archive })
      await database.transaction((tx) => deleteBackup(tx, id))
      if (whose !== app) await charge(whose)
    }
    await charge(app)
  }

  const charge = async (app: string) =>
    metering.keep({ app, what: 'backups', sizeBytes: await backupBytes(database, app) })

  async function ask(app: string, kind: BackupKind, by: string | null): Promise<Backup | null> {
    const id = newId({ nowMs: clock.now().getTime() })
    await database.transaction(async (tx) => {
      if (await insertBackup(tx, { id, app, kind, by, at: clock.now() }))
        await jobs.enqueue(tx, JOB, { backup: id }, { key: id })
    })
    return (await backupsOf(database, app)).find(({ state }) => state === 'making') ?? null
  }

  jobs.handle(JOB, make, { atOnce: 2 })
  jobs.daily('backups: make', async (on, now) => {
    for (const app of await appsToBackUp(on, new Date(now.getTime() - EVERY_MS)))
      if (!isRefusal(await payerFor(app))) await ask(app, 'schedule', null)
  })

  return {
    async ask({ app, by }) {
      const payer = await payerFor(app)
      if (isRefusal(payer)) return payer
      if ((await disks.current(app)).length === 0) return nothing()
      const asked = (await ask(app, 'demand', by)) ?? (await backupsOf(database, app))[0]
      return asked ?? refuse('server-error', 'The backup was asked for and is not there.')
    },
    of: (app) => backupsOf(database, app),
    async file(id, part) {
      const backup = await backupById(database, id)
      const file = backup?.state === 'kept' ? backup.files.find((one) => one.part === part) : undefined
      return file ? { ...file, path: sandbox.archivePath(file.archive) } : null
    },
  }
}

/** Compressed files take less; a table of text may take more as SQL than on its disk. */
function scratchBytes(disks: readonly Disk[]): number {
  return disks.reduce((sum, { path, usedBytes }) => sum + usedBytes * (path === 'rows' ? 2 : 1.25), 256 * MIB)
}

/** A database is both of its disks, or it is none. */
export function databaseDisksOf(disks: readonly Disk[]) {
  const [rows, cluster] = ['rows', 'cluster'].map((path) => disks.find((disk) => disk.path === path))
  return rows && cluster ? { rows, cluster } : null
}

function nothing(): Refusal {
  return refuse(
    'client-error/conflict',
    'The app keeps nothing: it has no volume and no database.',
    'Declare them in perennial.json: "volumes", "database".',
  )
}
