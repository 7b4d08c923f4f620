/** SQL of storage rent. */
import type { Micros } from '@perennial/protocol'
import type { Queryable, Transaction } from '../../database.ts'
import type { Keeping } from '../rent.ts'

export interface RentPlan {
  readonly id: string
  readonly app: string
  /** did:key of who is paid. Null: an older version stored it. */
  readonly provider: string | null
  readonly fromPurse: Micros
  readonly fromReserve: Micros
  readonly fromCommons: Micros
  readonly uncharged: Micros
}

/** From now on the app keeps `sizeBytes` of this kind; what it kept until now, of all kinds, is added up. */
export async function setSize(
  on: Queryable,
  size: { app: string; what: Keeping; sizeBytes: number; nowMs: number },
): Promise<void> {
  await on.query(
    `with part as (
       insert into rent_part (app, what, size_bytes) values ($1, $2, $3)
       on conflict (app, what) do update set size_bytes = excluded.size_bytes
     ), whole as (
       select $3::bigint + coalesce(sum(size_bytes), 0) as size_bytes from rent_part where app = $1 and what <> $2
     )
     insert into rent (app, size_bytes, since_ms, byte_ms, number) select $1, size_bytes, $4, 0, 1 from whole
     on conflict (app) do update set
       byte_ms = rent.byte_ms + rent.size_bytes::numeric * greatest(0, excluded.since_ms - rent.since_ms),
       size_bytes = excluded.size_bytes, since_ms = greatest(rent.since_ms, excluded.since_ms)`,
    [size.app, size.what, size.sizeBytes, size.nowMs],
  )
}

export async function sizesOf(on: Queryable, apps: readonly string[], what?: Keeping): Promise<Map<string, bigint>> {
  const rows = await on.query<{ app: string; size: bigint }>(
    what === undefined
      ? 'select app, size_bytes as size from rent where app = any($1)'
      : 'select app, size_bytes as size from rent_part where app = any($1) and what = $2',
    what === undefined ? [apps] : [apps, what],
  )
  return new Map(rows.map(({ app, size }) => [app, size]))
}

/** Apps whose rent was charged before this day, in UTC. */
export async function rentDue(on: Queryable, dayMs: number): Promise<string[]> {
  const rows = await on.query<{ app: string }>(
    'select app from rent where since_ms < $1 and (size_bytes > 0 or byte_ms > 0) order by app',
    [dayMs],
  )
  return rows.map(({ app }) => app)
}

/** Takes out what is owed until now. The row's lock lets one charge at a time happen. */
export async function takeRent(
  tx: Transaction,
  app: string,
  nowMs: number,
): Promise<{ byteMs: bigint; number: bigint }> {
  const [row] = await tx.query<{ byte_ms: string; number: bigint }>(
    `select (byte_ms + size_bytes::numeric * greatest(0, $2 - since_ms))::text as byte_ms, number
       from rent where app = $1 for update`,
    [app, nowMs],
  )
  if (!row) return { byteMs: 0n, number: 0n }
  await tx.query('update rent set byte_ms = 0, since_ms = greatest(since_ms, $2), number = number + 1 where app = $1', [
    app,
    nowMs,
  ])
  return { byteMs: BigInt(row.byte_ms), number: row.number }
}

export async function insertRent(tx: Transaction, plan: RentPlan & { byteMs: bigint; at: Date }): Promise<void> {
  await tx.query(
    `insert into rent_charge (id, app, provider, at, byte_ms, from_purse, from_reserve, from_commons, uncharged)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      plan.id,
      plan.app,
      plan.provider,
      plan.at,
      plan.byteMs,
      plan.fromPurse,
      plan.fromReserve,
      plan.fromCommons,
      plan.uncharged,
    ],
  )
}

/** Only before anything of it is on the ledger. */
export async function replanRent(on: Queryable, plan: RentPlan): Promise<void> {
  await on.query(
    `update rent_charge set from_purse = $2, from_reserve = $3, from_commons = $4, uncharged = $5
      where id = $1 and posted_at is null`,
    [plan.id, plan.fromPurse, plan.fromReserve, plan.fromCommons, plan.uncharged],
  )
}

export async function unpostedRent(on: Queryable): Promise<RentPlan[]> {
  return on.query<RentPlan>(
    `select id, app, provider, from_purse as "fromPurse", from_reserve as "fromReserve", from_commons as "fromCommons", uncharged
       from rent_charge where posted_at is null order by at`,
  )
}

/** Marks it, and adds the purse's part to the day's cost; the reserve's is not a cost that money has to outlast. */
export async function markRentPosted(tx: Transaction, id: string, at: Date): Promise<void> {
  await tx.query(
    `with posted as (
       update rent_charge set posted_at = $2 where id = $1 and posted_at is null
       returning app, at, byte_ms, from_purse
     )
     insert into usage_day select app, (at at time zone 'utc')::date, 'disk', byte_ms, from_purse from posted where from_purse > 0
     on conflict (app, day, meter) do update set
       used = usage_day.used + excluded.used, micros = usage_day.micros + excluded.micros`,
    [id, at],
  )
}
