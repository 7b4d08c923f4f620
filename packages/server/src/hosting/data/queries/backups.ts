/** SQL of backups and restores. */
import type { Queryable, Transaction } from '../../../database.ts'

export type BackupKind = 'schedule' | 'demand'
export type BackupPart = 'files' | 'database'

export interface BackupFile {
  readonly part: BackupPart
  /** Of the sandbox daemon. */
  readonly archive: string
  readonly sha256: string
  readonly sizeBytes: number
}

export interface Backup {
  readonly id: string
  readonly app: string
  readonly kind: BackupKind
  readonly state: 'making' | 'kept' | 'failed' | 'leaving'
  readonly askedAt: Date
  /** The moment that it holds. */
  readonly takenAt: Date | null
  readonly endedAt: Date | null
  readonly problem: string | null
  readonly files: readonly BackupFile[]
}

export interface Restore {
  readonly id: string
  readonly app: string
  readonly backup: string
  readonly state: 'waiting' | 'done' | 'failed'
  readonly askedAt: Date
  readonly endedAt: Date | null
  readonly problem: string | null
}

const BACKUPS = `select b.id, b.app, b.kind, b.state, b.asked_at as "askedAt", b.taken_at as "takenAt",
    b.ended_at as "endedAt", b.problem,
    coalesce((select json_agg(json_build_object(
                'part', part, 'archive', archive, 'sha256', sha256, 'sizeBytes', size_bytes) order by part desc)
                from backup_file where backup = b.id), '[]') as files
  from backup b`

/** False when one of the app is being made. */
export async function insertBackup(
  on: Queryable,
  backup: { id: string; app: string; kind: BackupKind; by: string | null; at: Date },
): Promise<boolean> {
  const rows = await on.query(
    `insert into backup (id, app, kind, state, asked_by, asked_at) values ($1, $2, $3, 'making', $4, $5)
     on conflict do nothing returning id`,
    [backup.id, backup.app, backup.kind, backup.by, backup.at],
  )
  return rows.length > 0
}

export async function backupById(on: Queryable, id: string): Promise<Backup | undefined> {
  return (await on.query<Backup>(`${BACKUPS} where b.id = $1`, [id]))[0]
}

/** Newest first; those that are leaving are not told of. */
export async function backupsOf(on: Queryable, app: string): Promise<Backup[]> {
  return on.query<Backup>(`${BACKUPS} where b.app = $1 and b.state <> 'leaving' order by b.asked_at desc`, [app])
}

export async function backupsInState(on: Queryable, state: Backup['state']): Promise<Backup[]> {
  return on.query<Backup>(`${BACKUPS} where b.state = $1 order by b.asked_at`, [state])
}

export async function keepBackup(
  tx: Transaction,
  backup: {
    id: string
    takenAt: Date
    at: Date
    files: readonly BackupFile[]
    disks: readonly { path: string; sizeBytes: number }[]
  },
): Promise<void> {
  const { id, files, disks } = backup
  const kept = await tx.query(
    `update backup set state = 'kept', taken_at = $2, ended_at = $3 where id = $1 and state = 'making' returning id`,
    [id, backup.takenAt, backup.at],
  )
  if (kept.length === 0) return
  for (const { part, archive, sha256, sizeBytes } of files)
    await tx.query('insert into backup_file (backup, part, archive, sha256, size_bytes) values ($1, $2, $3, $4, $5)', [
      id,
      part,
      archive,
      sha256,
      sizeBytes,
    ])
  for (const { path, sizeBytes } of disks)
    await tx.query('insert into backup_disk (backup, path, size_bytes) values ($1, $2, $3)', [id, path, sizeBytes])
}

export async function failBackup(on: Queryable, id: string, problem: string, at: Date): Promise<void> {
  await on.query(`update backup set state = 'failed', problem = $2, ended_at = $3 where id = $1 and state = 'making'`, [
    id,
    problem,
    at,
  ])
}

/** All but the newest of each kind, and failures that are old, are told to leave; one that is being restored stays. */
export async function markLeaving(
  on: Queryable,
  app: string,
  keep: { schedule: number; demand: number; failedSince: Date },
): Promise<void> {
  await on.query(
    `with place as (
       select id, kind, state, ended_at, row_number() over (partition by kind, state order by asked_at desc) as place
         from backup where app = $1
     )
     update backup set state = 'leaving' from place
      where backup.id = place.id
        and (place.state = 'kept' and place.place > case place.kind when 'schedule' then $2::int else $3::int end
             or place.state = 'failed' and place.ended_at < $4)
        and not exists (select from restore where restore.backup = backup.id and restore.state = 'waiting')`,
    [app, keep.schedule, keep.demand, keep.failedSince],
  )
}

export async function deleteBackup(tx: Transaction, id: string): Promise<void> {
  await tx.query('delete from restore where backup = $1', [id])
  await tx.query('delete from backup_file where backup = $1', [id])
  await tx.query('delete from backup_disk where backup = $1', [id])
  await tx.query(`delete from backup where id = $1 and state = 'leaving'`, [id])
}

export async function backupBytes(on: Queryable, app: string): Promise<number> {
  const [row] = await on.query<{ bytes: bigint }>(
    `select coalesce(sum(size_bytes), 0)::bigint as bytes from backup_file join backup on backup.id = backup
      where app = $1`,
    [app],
  )
  return Number(row?.bytes ?? 0n)
}

export async function backupDisks(on: Queryable, backup: string): Promise<{ path: string; sizeBytes: number }[]> {
  const rows = await on.query<{ path: string; size_bytes: bigint }>(
    'select path, size_bytes from backup_disk where backup = $1 order by path',
    [backup],
  )
  return rows.map(({ path, size_bytes }) => ({ path, sizeBytes: Number(size_bytes) }))
}

/** Apps with data, whose newest backup was asked for before `since`, and which ran after it. */
export async function appsToBackUp(on: Queryable, since: Date): Promise<string[]> {
  const rows = await on.query<{ app: string }>(
    `with newest as (
       select disk.app, (select max(asked_at) from backup where app = disk.app and state in ('making', 'kept')) as at
         from data_disk disk where disk.state = 'current' group by disk.app
     )
     select app from newest
      where (at is null or at < $1)
        and exists (select from instance
                     where instance.app = newest.app
                       and (instance.state in ('starting', 'awake') or at is null or instance.since > at))`,
    [since],
  )
  return rows.map(({ app }) => app)
}

const RESTORES = `select id, app, backup, state, asked_at as "askedAt", ended_at as "endedAt", problem from restore`

export async function insertRestore(
  on: Queryable,
  restore: { id: string; app: string; backup: string; by: string | null; at: Date },
): Promise<boolean> {
  const rows = await on.query(
    `insert into restore (id, app, backup, state, asked_by, asked_at) values ($1, $2, $3, 'waiting', $4, $5)
     on conflict do nothing returning id`,
    [restore.id, restore.app, restore.backup, restore.by, restore.at],
  )
  return rows.length > 0
}

export async function restoreById(on: Queryable, id: string): Promise<Restore | undefined> {
  return (await on.query<Restore>(`${RESTORES} where id = $1`, [id]))[0]
}

/** Newest first. */
export async function restoresOf(on: Queryable, app: string, limit: number): Promise<Restore[]> {
  return on.query<Restore>(`${RESTORES} where app = $1 order by asked_at desc limit $2`, [app, limit])
}

export async function endRestore(
  on: Queryable,
  id: string,
  end: { state: 'done' | 'failed'; problem: string | null; at: Date },
): Promise<void> {
  await on.query(`update restore set state = $2, problem = $3, ended_at = $4 where id = $1 and state = 'waiting'`, [
    id,
    end.state,
    end.problem,
    end.at,
  ])
}
