/** SQL of usage by day. */
import type { Meter, Micros } from '@perennial/protocol'
import type { Queryable } from '../../database.ts'

export interface DayUsage {
  readonly app: string
  /** 2026-11-21, in UTC. */
  readonly day: string
  readonly meter: Meter
  readonly used: bigint
  readonly micros: Micros
}

export async function usageByDay(on: Queryable, apps: readonly string[], since: Date): Promise<DayUsage[]> {
  const rows = await on.query<Omit<DayUsage, 'used'> & { used: string }>(
    `select app, day::text, meter, used::text, micros from usage_day
      where app = any($1) and day >= ($2::timestamptz at time zone 'utc')::date order by app, day, meter`,
    [apps, since],
  )
  return rows.map((row) => ({ ...row, used: BigInt(row.used) }))
}

export async function lastChargeOf(on: Queryable, apps: readonly string[]): Promise<Map<string, Date>> {
  const rows = await on.query<{ app: string; at: Date }>(
    `select app, max(ended_at) as at from usage_interval
      where app = any($1) and cause = 'run' and posted_at is not null group by app`,
    [apps],
  )
  return new Map(rows.map(({ app, at }) => [app, at]))
}

export async function unchargedOf(on: Queryable, app: string): Promise<Micros> {
  const [row] = await on.query<{ micros: Micros }>(
    'select coalesce(sum(uncharged), 0)::bigint as micros from usage_interval where app = $1',
    [app],
  )
  return row?.micros ?? 0n
}
