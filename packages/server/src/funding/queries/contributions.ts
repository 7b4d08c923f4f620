/** SQL of contributions. */
import type { Micros, Parts } from '@perennial/protocol'
import type { Queryable, Transaction } from '../../database.ts'

export interface ContributionRow {
  readonly id: string
  readonly app: string
  readonly amount: Micros
  readonly name: string | null
  readonly caller: string | null
  readonly rail: string
  readonly commons: Micros
  readonly reserve: Micros
  readonly purse: Micros
  readonly at: Date
  readonly posted: boolean
  readonly seq: bigint | null
}

const COLUMNS = 'id, app, amount, name, caller, rail, commons, reserve, purse, at, posted_at is not null as posted, seq'

export async function contributionById(on: Queryable, id: string): Promise<ContributionRow | undefined> {
  return (await on.query<ContributionRow>(`select ${COLUMNS} from contribution where id = $1`, [id]))[0]
}

/** What is on its way into a reserve. Locks the app's row, so that two payments do not both fill it. */
export async function pendingReserve(tx: Transaction, app: string): Promise<Micros> {
  await tx.query('select from app where id = $1 for no key update', [app])
  const [row] = await tx.query<{ pending: Micros }>(
    'select coalesce(sum(reserve), 0)::bigint as pending from contribution where app = $1 and posted_at is null',
    [app],
  )
  return row?.pending ?? 0n
}

/** False: the id is taken. */
export async function insertContribution(
  tx: Transaction,
  row: Omit<ContributionRow, 'posted' | 'seq' | keyof Parts>,
  parts: Parts,
): Promise<boolean> {
  const inserted = await tx.query(
    `insert into contribution (id, app, amount, name, caller, rail, at, commons, reserve, purse)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing returning id`,
    [row.id, row.app, row.amount, row.name, row.caller, row.rail, row.at, parts.commons, parts.reserve, parts.purse],
  )
  return inserted.length > 0
}

/** Whether it was not marked before. */
export async function markContributionPosted(tx: Transaction, id: string, at: Date, seq: bigint): Promise<boolean> {
  const marked = await tx.query(
    'update contribution set posted_at = $2, seq = $3 where id = $1 and posted_at is null returning id',
    [id, at, seq],
  )
  return marked.length > 0
}

export async function unpostedContributions(on: Queryable): Promise<ContributionRow[]> {
  return on.query<ContributionRow>(`select ${COLUMNS} from contribution where posted_at is null order by at`)
}

/** What a name in public and an id of one's own make a payer. */
const PAYER = 'coalesce(caller, name, id::text)'

export interface ListedContribution {
  readonly id: string
  readonly app: string
  readonly amount: Micros
  readonly name: string | null
  readonly at: Date
  readonly purse: Micros
}

/** Newest first; of one app, or of all. */
export async function listContributions(
  on: Queryable,
  app: string | null,
  limit: number,
): Promise<ListedContribution[]> {
  return on.query<ListedContribution>(
    `select id, app, amount, name, at, purse from contribution
      where posted_at is not null and ($1::uuid is null or app = $1) order by at desc, seq desc limit $2`,
    [app, limit],
  )
}

export async function countContributions(on: Queryable, app: string): Promise<{ payments: number; payers: number }> {
  const [row] = await on.query<{ payments: number; payers: number }>(
    `select count(*)::int as payments, count(distinct ${PAYER})::int as payers
       from contribution where app = $1 and posted_at is not null`,
    [app],
  )
  return row ?? { payments: 0, payers: 0 }
}

export async function sumContributions(on: Queryable): Promise<{ amount: Micros; commons: Micros }> {
  const [row] = await on.query<{ amount: Micros; commons: Micros }>(
    `select coalesce(sum(amount), 0)::bigint as amount, coalesce(sum(commons), 0)::bigint as commons
       from contribution where posted_at is not null`,
  )
  return row ?? { amount: 0n, commons: 0n }
}
