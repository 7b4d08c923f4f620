/** SQL of closed intervals, their lines, and the holds that pay them. */
import type { Meter, Micros } from '@perennial/protocol'
import type { Queryable, Transaction } from '../../database.ts'
import type { Closed } from '../stream.ts'
import { dayOf } from '../stream.ts'
import { json } from './streams.ts'

/** Stores what is not stored yet, with its lines and the day's sums; a second time changes nothing. */
export async function insertUsage(tx: Transaction, intervals: readonly Closed[]): Promise<void> {
  if (intervals.length === 0) return
  const rows = intervals.map(({ id, app, payer, provider, cause, startedAt, endedAt, charged, uncharged }) => ({
    id,
    app,
    payer,
    provider,
    cause,
    started_at: startedAt,
    ended_at: endedAt,
    charged,
    uncharged,
  }))
  const inserted = await tx.query<{ id: string }>(
    `insert into usage_interval (id, app, payer, provider, cause, started_at, ended_at, charged, uncharged)
     select * from json_to_recordset($1::json) as row (
       id uuid, app uuid, payer text, provider text, cause text, started_at timestamptz, ended_at timestamptz,
       charged bigint, uncharged bigint)
     on conflict (id) do nothing returning id`,
    [json(rows)],
  )
  const isNew = new Set(inserted.map(({ id }) => id))
  const lines = intervals
    .filter(({ id }) => isNew.has(id))
    .flatMap(({ id, app, startedAt, lines: all }) =>
      all.map((line) => ({ usage: id, app, day: dayOf(startedAt.getTime()), ...line })),
    )
  await tx.query(
    `with line as (
       select * from json_to_recordset($1::json) as row (
         usage uuid, app uuid, day date, meter text, used numeric, micros bigint)
     ), stored as (
       insert into usage_line select usage, meter, used, micros from line
     )
     insert into usage_day select app, day, meter, sum(used), sum(micros) from line group by 1, 2, 3
     on conflict (app, day, meter) do update set
       used = usage_day.used + excluded.used, micros = usage_day.micros + excluded.micros`,
    [json(lines)],
  )
}

export async function markPosted(tx: Transaction, ids: readonly string[], at: Date): Promise<void> {
  await tx.query('update usage_interval set posted_at = $2 where id = any($1) and posted_at is null', [ids, at])
  await tx.query('update usage_hold set resolved = true where usage = any($1) and not resolved', [ids])
}

interface UsageRow extends Omit<Closed, 'lines' | 'holds'> {
  readonly posted: boolean
}

const COLUMNS = `id, app, payer, provider, cause, started_at as "startedAt", ended_at as "endedAt", charged, uncharged,
  posted_at is not null as posted`

/** Closed and not known to be on the ledger, oldest first. */
export async function unpostedUsage(on: Queryable): Promise<Closed[]> {
  const rows = await on.query<UsageRow>(
    `select ${COLUMNS} from usage_interval where posted_at is null order by ended_at`,
  )
  return withLines(on, rows)
}

export async function usageById(on: Queryable, id: string): Promise<(Closed & { posted: boolean }) | undefined> {
  const rows = await on.query<UsageRow>(`select ${COLUMNS} from usage_interval where id = $1`, [id])
  const [usage] = await withLines(on, rows)
  return usage && { ...usage, posted: rows[0]?.posted ?? false }
}

async function withLines(on: Queryable, rows: readonly UsageRow[]): Promise<Closed[]> {
  const ids = rows.map(({ id }) => id)
  const lines = await on.query<{ usage: string; meter: Meter; used: string; micros: Micros }>(
    'select usage, meter, used, micros from usage_line where usage = any($1)',
    [ids],
  )
  const holds = (await openHolds(on)).filter((hold) => ids.includes(hold.usage))
  return rows.map((row) => ({
    ...row,
    lines: lines.filter(({ usage }) => usage === row.id).map((line) => ({ ...line, used: BigInt(line.used) })),
    holds: holds
      .filter(({ usage }) => usage === row.id)
      .map(({ id, amount }) => ({ id, amount: amount ?? 0n }))
      .filter(({ amount }) => amount > 0n),
  }))
}

export interface HoldRow {
  readonly id: string
  /** The interval or build that it is for. */
  readonly usage: string
  readonly app: string
  readonly payer: string
  readonly cause: 'run' | 'build'
  /** 0, 1, 2 … within its interval. */
  readonly place: number
  readonly asked: Micros
  readonly askedAt: Date
  /** Null: the ledger's answer is not known. */
  readonly amount: Micros | null
}

const HOLD_COLUMNS = 'id, usage, app, payer, cause, place, asked, asked_at as "askedAt", amount'

export async function insertHolds(on: Queryable, holds: readonly HoldRow[]): Promise<void> {
  const rows = holds.map(({ askedAt, ...hold }) => ({ ...hold, asked_at: askedAt }))
  await on.query(
    `insert into usage_hold (id, usage, app, payer, cause, place, asked, asked_at, amount)
     select * from json_to_recordset($1::json) as row (
       id uuid, usage uuid, app uuid, payer text, cause text, place int, asked bigint, asked_at timestamptz, amount bigint)
     on conflict (id) do nothing`,
    [json(rows)],
  )
}

/** The ledger's answers; a hold of nothing is forgotten. */
export async function answerHolds(on: Queryable, answers: readonly { id: string; amount: Micros }[]): Promise<void> {
  await on.query(
    `update usage_hold as hold set amount = row.amount
       from json_to_recordset($1::json) as row (id uuid, amount bigint)
      where hold.id = row.id and hold.amount is null and row.amount > 0`,
    [json(answers)],
  )
  const refused = answers.filter(({ amount }) => amount === 0n).map(({ id }) => id)
  if (refused.length > 0) await on.query('delete from usage_hold where id = any($1) and amount is null', [refused])
}

export async function openHolds(on: Queryable): Promise<HoldRow[]> {
  return on.query<HoldRow>(`select ${HOLD_COLUMNS} from usage_hold where not resolved order by usage, place`)
}

/** What became of them is on the ledger. */
export async function forgetHolds(on: Queryable, before: Date): Promise<void> {
  await on.query('delete from usage_hold where resolved and asked_at < $1', [before])
}

export async function holdById(on: Queryable, id: string): Promise<(HoldRow & { resolved: boolean }) | undefined> {
  return (
    await on.query<HoldRow & { resolved: boolean }>(`select ${HOLD_COLUMNS}, resolved from usage_hold where id = $1`, [
      id,
    ])
  )[0]
}
