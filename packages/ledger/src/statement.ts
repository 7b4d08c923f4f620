/** The history, read: one account's statement, or every row since one. */
import { KINDS, type Kind } from '@perennial/protocol'
import type pg from 'pg'

/** No answer is longer, whatever the caller asks. */
const ROW_LIMIT = 10_000

export interface Side {
  id: bigint
  name: string
  /** After this row. */
  balance: bigint
}

export interface Row {
  seq: bigint
  id: string
  kind: Kind
  /** The caller's reason: protocol/codes.ts. */
  code: number
  at: Date
  debit: Side & { held: bigint }
  credit: Side
  /** What moved; of a hold what was reserved, of a void or expire what was released. */
  amount: bigint
  /** The hold that this row resolved. */
  ref?: bigint
  expires?: Date
  /** Hash of the leaf in the public log, at index seq − 1. */
  leaf: Buffer
}

export interface StatementRow extends Row {
  /** What the row did to the account's balance: 0 for holds, voids and expiries. */
  change: bigint
  /** The account's balance after it. */
  balance: bigint
}

export interface StatementQuery {
  account: bigint
  /** Only rows with a higher, or lower, seq than these. */
  after?: bigint | undefined
  before?: bigint | undefined
  newestFirst?: boolean | undefined
  limit: number
}

export async function statement(readers: pg.Pool, query: StatementQuery): Promise<StatementRow[]> {
  const { account, after = 0n, before = 2n ** 63n - 1n, newestFirst = false, limit } = query
  const order = newestFirst ? 'desc' : 'asc'
  // Each side has its own index; either gives at most `limit` rows, so a long history costs no more than a short one.
  const side = (name: 'debit' | 'credit'): string =>
    `(select * from ledger.transfer where ${name} = $1 and seq > $2 and seq < $3 order by seq ${order} limit $4)`
  const rows = await read(readers, {
    text: `select ${COLUMNS} from (${side('debit')} union all ${side('credit')}) as t ${NAMES} order by t.seq ${order} limit $4`,
    values: [account, after, before, Math.min(limit, ROW_LIMIT)],
  })
  return rows.map((row) => {
    const paid = row.debit.id === account
    const moved = row.kind === 'transfer' || row.kind === 'post' ? row.amount : 0n
    return { ...row, change: paid ? -moved : moved, balance: paid ? row.debit.balance : row.credit.balance }
  })
}

/** Rows in the order they happened: the ledger is its own event stream. Records have numbers of the same sequence, so it may skip some. */
export function after(readers: pg.Pool, { seq, limit }: { seq: bigint; limit: number }): Promise<Row[]> {
  return read(readers, {
    text: `select ${COLUMNS} from (select * from ledger.transfer where seq > $1 order by seq limit $2) as t ${NAMES} order by t.seq`,
    values: [seq, Math.min(limit, ROW_LIMIT)],
  })
}

const COLUMNS = `t.*, d.name as debit_name, c.name as credit_name`
const NAMES = `join ledger.account as d on d.id = t.debit join ledger.account as c on c.id = t.credit`

interface TransferColumns {
  seq: bigint
  id: string
  kind: number
  code: number
  at: Date
  debit: bigint
  credit: bigint
  amount: bigint
  ref: bigint | null
  expires: bigint | null
  debit_balance: bigint
  debit_held: bigint
  credit_balance: bigint
  leaf: Buffer
  debit_name: string
  credit_name: string
}

async function read(readers: pg.Pool, query: { text: string; values: unknown[] }): Promise<Row[]> {
  const { rows } = await readers.query<TransferColumns>(query)
  return rows.map((t) => ({
    seq: t.seq,
    id: t.id,
    kind: kindOf(t.kind),
    code: t.code,
    at: t.at,
    debit: { id: t.debit, name: t.debit_name, balance: t.debit_balance, held: t.debit_held },
    credit: { id: t.credit, name: t.credit_name, balance: t.credit_balance },
    amount: t.amount,
    leaf: t.leaf,
    ...(t.ref === null ? {} : { ref: t.ref }),
    ...(t.expires === null ? {} : { expires: new Date(Number(t.expires) * 1000) }),
  }))
}

const KIND_WORDS = Object.keys(KINDS) as Kind[]

/** The word for a row's number: the table of protocol's entry.ts, read backwards. */
export function kindOf(number: number): Kind {
  const kind = KIND_WORDS.find((word) => KINDS[word] === number)
  if (!kind) throw new Error(`a row has the unknown kind ${number}`)
  return kind
}
