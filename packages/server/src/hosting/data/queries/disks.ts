/** SQL of durable disks: which volume of the sandbox daemon is whose, and for what. */
import type { Queryable, Transaction } from '../../../database.ts'

export type DiskState = 'current' | 'making' | 'leaving'

export interface Disk {
  /** Of the volume. */
  readonly id: string
  readonly app: string
  readonly owner: string
  /** Where the app sees it; `rows` and `cluster` are its database's. */
  readonly path: string
  readonly sizeBytes: number
  readonly usedBytes: number
  readonly state: DiskState
  /** The backup or restore that it was made for. */
  readonly madeFor: string | null
  /** Null: it may not be there yet; else it must be. */
  readonly madeAt: Date | null
}

const COLUMNS = `id, app, owner, path, size_bytes as "sizeBytes", used_bytes as "usedBytes", state,
  made_for as "madeFor", made_at as "madeAt"`

type Row = Omit<Disk, 'sizeBytes' | 'usedBytes'> & { sizeBytes: bigint; usedBytes: bigint }

async function read(on: Queryable, where: string, values: readonly unknown[]): Promise<Disk[]> {
  const rows = await on.query<Row>(`select ${COLUMNS} from data_disk ${where} order by path, id`, values)
  return rows.map((row) => ({ ...row, sizeBytes: Number(row.sizeBytes), usedBytes: Number(row.usedBytes) }))
}

export type NewDisk = Pick<Disk, 'id' | 'app' | 'owner' | 'path' | 'sizeBytes' | 'state' | 'madeFor'>

/** False when the app has a current one there. */
export async function insertDisk(on: Queryable, disk: NewDisk): Promise<boolean> {
  const rows = await on.query(
    `insert into data_disk (id, app, owner, path, size_bytes, state, made_for) values ($1, $2, $3, $4, $5, $6, $7)
     on conflict do nothing returning id`,
    [disk.id, disk.app, disk.owner, disk.path, disk.sizeBytes, disk.state, disk.madeFor],
  )
  return rows.length > 0
}

export async function noteMade(on: Queryable, id: string, sizeBytes: number, at: Date): Promise<void> {
  await on.query('update data_disk set size_bytes = $2, made_at = coalesce(made_at, $3) where id = $1', [
    id,
    sizeBytes,
    at,
  ])
}

export const currentDisks = (on: Queryable, app: string) => read(on, `where app = $1 and state = 'current'`, [app])

export const allDisks = (on: Queryable) => read(on, '', [])

/** All at once: what was made for `cause` is what the app has, and what it had leaves. */
export async function switchDisks(tx: Transaction, app: string, cause: string): Promise<void> {
  await tx.query(`update data_disk set state = 'leaving' where app = $1 and state = 'current'`, [app])
  await tx.query(`update data_disk set state = 'current', made_for = null where made_for = $1 and state = 'making'`, [
    cause,
  ])
}

/** What was made for `cause` and is not in use by now is not needed. */
export async function abandonDisks(on: Queryable, cause: string): Promise<void> {
  await on.query(`update data_disk set state = 'leaving' where made_for = $1 and state = 'making'`, [cause])
}

export const leavingDisks = (on: Queryable) => read(on, `where state = 'leaving'`, [])

export async function deleteDisk(on: Queryable, id: string): Promise<void> {
  await on.query(`delete from data_disk where id = $1 and state = 'leaving'`, [id])
}

export async function noteUsed(on: Queryable, used: readonly { id: string; usedBytes: number }[]): Promise<void> {
  await on.query(
    `update data_disk set used_bytes = row.used_bytes
       from json_to_recordset($1::json) as row (id text, used_bytes bigint) where data_disk.id = row.id`,
    [JSON.stringify(used.map(({ id, usedBytes }) => ({ id, used_bytes: usedBytes })))],
  )
}
