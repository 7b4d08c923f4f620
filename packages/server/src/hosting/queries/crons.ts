/** The rows of what apps want done at set times. */
import type { Queryable } from '../../database.ts'

export interface Entry {
  readonly app: string
  readonly name: string
  /** Five fields, UTC. */
  readonly schedule: string
  readonly argv: readonly string[]
}

/** Takes away all but these. */
export async function keepEntries(on: Queryable, app: string, names: readonly string[]): Promise<void> {
  await on.query('delete from cron_entry where app = $1 and name <> all($2)', [app, names])
}

/** One whose schedule is as before keeps its next time. */
export async function storeEntry(on: Queryable, { app, name, schedule, argv }: Entry, next: Date): Promise<void> {
  await on.query(
    `insert into cron_entry (app, name, schedule, argv, next_at) values ($1, $2, $3, $4, $5)
     on conflict (app, name) do update set argv = excluded.argv, schedule = excluded.schedule,
       next_at = case when cron_entry.schedule = excluded.schedule then cron_entry.next_at else excluded.next_at end`,
    [app, name, schedule, JSON.stringify(argv), next],
  )
}

/** Longest due first. */
export async function dueEntries(on: Queryable, now: Date, limit: number): Promise<Entry[]> {
  return on.query<Entry>(
    'select app, name, schedule, argv from cron_entry where next_at <= $1 order by next_at limit $2',
    [now, limit],
  )
}

/** False: somebody else did. */
export async function moveOn(
  on: Queryable,
  { app, name }: Pick<Entry, 'app' | 'name'>,
  { now, next }: { now: Date; next: Date },
): Promise<boolean> {
  const rows = await on.query(
    'update cron_entry set next_at = $3 where app = $1 and name = $2 and next_at <= $4 returning 1',
    [app, name, next, now],
  )
  return rows.length > 0
}
