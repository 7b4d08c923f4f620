/** The rows of instances. */
import type { Queryable } from '../database.ts'
import type { LogPlace } from '../output.ts'

export type InstanceState = 'starting' | 'awake' | 'asleep' | 'stopping' | 'gone'

export interface Instance {
  /** Of the sandbox. */
  readonly id: string
  readonly app: string
  /** `web`, a worker's name, or that of a command that runs once. */
  readonly process: string
  /** It runs to its end and is not started again. */
  readonly once: boolean
  /** SHA-256 of the image. */
  readonly release: string
  /** The release's number; null: an older version of the node started it. */
  readonly number: number | null
  /** The deployment whose fate its first start decides. */
  readonly deployment: string | null
  readonly payer: string
  readonly state: InstanceState
  readonly address: string | null
  readonly startedAt: Date
  readonly since: Date
  /** How far its output was carried over (printed.ts). */
  readonly logInode: bigint | null
  readonly logOffset: bigint | null
  readonly reason: string | null
}

const COLUMNS = `id, app, process, once, release, release_number as number, deployment, payer, state, address, started_at as "startedAt", since,
  log_inode as "logInode", log_offset as "logOffset", reason`

export type NewInstance = Pick<
  Instance,
  'id' | 'app' | 'process' | 'once' | 'release' | 'number' | 'deployment' | 'payer' | 'startedAt'
>

export async function insertInstance(database: Queryable, instance: NewInstance): Promise<Instance> {
  const { id, app, process, once, release, number, deployment, payer, startedAt } = instance
  await database.query(
    `insert into instance (id, app, process, once, release, release_number, deployment, payer, state, started_at, since)
     values ($1, $2, $3, $4, $5, $6, $7, $8, 'starting', $9, $9)`,
    [id, app, process, once, release, number, deployment, payer, startedAt],
  )
  const unknown = { address: null, logInode: null, logOffset: null, reason: null }
  return { ...instance, ...unknown, state: 'starting', since: startedAt }
}

export interface InstanceChange {
  readonly id: string
  readonly state: InstanceState
  readonly since: Date
  readonly address?: string
  readonly reason?: string
}

export async function setInstance(database: Queryable, change: InstanceChange): Promise<void> {
  const { id, state, since, address, reason } = change
  await database.query(
    `update instance set state = $2, since = $3, address = coalesce($4, address), reason = coalesce($5, reason)
      where id = $1`,
    [id, state, since, address ?? null, reason ?? null],
  )
}

export async function setPrinted(on: Queryable, id: string, { inode, offset }: LogPlace): Promise<void> {
  await on.query('update instance set log_inode = $2, log_offset = $3 where id = $1', [id, inode, offset])
}

/** All that may still have a sandbox, oldest first. */
export async function everyLive(database: Queryable, app?: string): Promise<Instance[]> {
  return database.query<Instance>(
    `select ${COLUMNS} from instance where state <> 'gone' and ($1::uuid is null or app = $1) order by started_at`,
    [app ?? null],
  )
}

/** Of the web process: those that requests are for. */
export async function liveInstances(database: Queryable, app?: string): Promise<Instance[]> {
  return (await everyLive(database, app)).filter(({ process, once }) => process === 'web' && !once)
}

/** Workers, and commands that run once. */
export async function liveSides(database: Queryable, app?: string): Promise<Instance[]> {
  return (await everyLive(database, app)).filter(({ process, once }) => process !== 'web' || once)
}

/** Those that are gone are of use while their last words may be looked for. */
export async function forgetInstances(database: Queryable, before: Date): Promise<void> {
  await database.query(`delete from instance where state = 'gone' and since < $1`, [before])
}

export async function instanceById(database: Queryable, id: string): Promise<Instance | undefined> {
  const [row] = await database.query<Instance>(`select ${COLUMNS} from instance where id = $1`, [id])
  return row
}
