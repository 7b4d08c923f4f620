/** SQL of what the follower learns from the ledger's rows, and of the figures that pages show of many apps. */
import type { Micros } from '@perennial/protocol'
import type { Queryable, Transaction } from '../../database.ts'

export async function followedTo(on: Queryable, name: string): Promise<bigint> {
  return (await on.query<{ seq: bigint }>('select seq from follower where name = $1', [name]))[0]?.seq ?? 0n
}

export async function setFollowed(tx: Transaction, name: string, seq: bigint): Promise<void> {
  await tx.query(
    'insert into follower (name, seq) values ($1, $2) on conflict (name) do update set seq = excluded.seq',
    [name, seq],
  )
}

export interface PurseDay {
  readonly app: string
  readonly day: string
  /** Of its last row. */
  readonly at: Date
  readonly balance: Micros
  readonly income: Micros
}

/** What a page of rows says of a day; no balance: only the reserve was touched. */
export type PurseRow = Omit<PurseDay, 'balance'> & { readonly balance: Micros | null }

/** In the order of the ledger's rows; each app and day once. */
export async function addPurseDays(tx: Transaction, rows: readonly PurseRow[]): Promise<void> {
  for (const row of rows) {
    await tx.query(
      `insert into purse_day (app, day, at, balance, income)
       select $1, $2, $3, coalesce($4::bigint, before.balance, 0), $5
         from (select) as one
         left join lateral (select balance from purse_day where app = $1 and day < $2 order by day desc limit 1)
           as before on true
       on conflict (app, day) do update set
         at = excluded.at, balance = coalesce($4::bigint, purse_day.balance), income = purse_day.income + excluded.income`,
      [row.app, row.day, row.at, row.balance, row.income],
    )
  }
}

export interface PaymentRow {
  readonly app: string
  readonly seq: bigint
  readonly at: Date
  readonly amount: Micros
  readonly balance: Micros
}

export async function addPayments(tx: Transaction, rows: readonly PaymentRow[]): Promise<void> {
  for (const row of rows) {
    await tx.query('insert into purse_payment (app, seq, at, amount, balance) values ($1, $2, $3, $4, $5)', [
      row.app,
      row.seq,
      row.at,
      row.amount,
      row.balance,
    ])
  }
}

export async function purseDays(on: Queryable, apps: readonly string[], since: string): Promise<PurseDay[]> {
  return on.query<PurseDay>(
    'select app, day::text, at, balance, income from purse_day where app = any($1) and day >= $2 order by app, day',
    [apps, since],
  )
}

/** The last balance before a day, of apps that had one. */
export async function pursesBefore(on: Queryable, apps: readonly string[], day: string): Promise<Map<string, Micros>> {
  const rows = await on.query<{ app: string; balance: Micros }>(
    `select distinct on (app) app, balance from purse_day where app = any($1) and day < $2 order by app, day desc`,
    [apps, day],
  )
  return new Map(rows.map(({ app, balance }) => [app, balance]))
}

export async function paymentsSince(on: Queryable, app: string, since: Date): Promise<PaymentRow[]> {
  return on.query<PaymentRow>(
    'select app, seq, at, amount, balance from purse_payment where app = $1 and at >= $2 order by seq',
    [app, since],
  )
}

/** Whether anyone ever paid for it. */
export async function wasPaid(on: Queryable, app: string): Promise<boolean> {
  return (await on.query('select from contribution where app = $1 limit 1', [app])).length > 0
}

export interface MoneyRow {
  readonly app: string
  readonly at: Date
  readonly purse: Micros
  readonly reserve: Micros
  readonly earliest: Date | null
  readonly latest: Date | null
  readonly estimate: boolean
  readonly costPerDay: Micros | null
  readonly dearCost: Micros
  readonly dearDays: number
}

export async function writeMoney(tx: Transaction, row: MoneyRow): Promise<void> {
  await tx.query(
    `insert into app_money (app, at, purse, reserve, earliest, latest, estimate, cost_per_day, dear_cost, dear_days)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     on conflict (app) do update set
       at = excluded.at, purse = excluded.purse, reserve = excluded.reserve, earliest = excluded.earliest,
       latest = excluded.latest, estimate = excluded.estimate, cost_per_day = excluded.cost_per_day,
       dear_cost = excluded.dear_cost, dear_days = excluded.dear_days`,
    [
      row.app,
      row.at,
      row.purse,
      row.reserve,
      row.earliest,
      row.latest,
      row.estimate,
      row.costPerDay,
      row.dearCost,
      row.dearDays,
    ],
  )
}

const COLUMNS = `money.app, money.at, money.purse, money.reserve, money.earliest, money.latest, money.estimate,
  money.cost_per_day as "costPerDay", money.dear_cost as "dearCost", money.dear_days as "dearDays"`

export async function moneyOf(on: Queryable, apps: readonly string[]): Promise<MoneyRow[]> {
  return on.query<MoneyRow>(`select ${COLUMNS} from app_money as money where app = any($1)`, [apps])
}

/** Soonest to stop first; those that stand still last, the newest of them first. */
export async function soonest(on: Queryable, limit: number): Promise<MoneyRow[]> {
  return on.query<MoneyRow>(
    `select ${COLUMNS} from app_money as money join app on app.id = money.app
      order by app.state in ('frozen', 'archived'),
               case when app.state in ('frozen', 'archived') then null else money.earliest end nulls last,
               app.state_since desc, money.app
      limit $1`,
    [limit],
  )
}

/** What all apps that run cost in a day, and how many apps are in which kind of state. */
export async function sumMoney(
  on: Queryable,
): Promise<{ apps: number; running: number; frozen: number; costPerDay: Micros }> {
  const [row] = await on.query<{ apps: number; running: number; frozen: number; costPerDay: Micros }>(
    `select count(*)::int as apps,
            count(*) filter (where state not in ('frozen', 'archived') and not stopped and release is not null)::int as running,
            count(*) filter (where state in ('frozen', 'archived'))::int as frozen,
            coalesce(sum(cost_per_day) filter (where state not in ('frozen', 'archived') and not stopped), 0)::bigint
              as "costPerDay"
       from app left join app_money on app_money.app = app.id`,
  )
  return row ?? { apps: 0, running: 0, frozen: 0, costPerDay: 0n }
}
