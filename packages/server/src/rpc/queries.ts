/** SQL of the record of calls. */
import type { Queryable } from '../database.ts'

/** Some 300 MB. */
const MOST_CALLS = 1_000_000

export interface CallRow {
  readonly id: string
  readonly at: Date
  readonly caller: string | null
  readonly method: string
  readonly digest: Uint8Array
  readonly boot: string
  readonly key: string | null
}

export interface EarlierCall {
  readonly digest: Buffer
  readonly status: string
  readonly answer: unknown
}

/**
 * Takes the key for this call, or says what became of the call that has it. A key whose call was cut off by a kill is
 * taken over: methods that change something take ids from their callers, so doing it again does it once.
 */
export async function claimKey(on: Queryable, row: CallRow): Promise<EarlierCall | null> {
  const claimed = await on.query(
    `insert into call (id, at, caller, method, digest, key, boot, status)
     values ($1, $2, $3, $4, $5, $6, $7, 'pending')
     on conflict (caller, key) where key is not null
     do update set id = excluded.id, at = excluded.at, boot = excluded.boot
      where call.status = 'pending' and call.boot <> excluded.boot and call.digest = excluded.digest
     returning id`,
    [row.id, row.at, row.caller, row.method, row.digest, row.key, row.boot],
  )
  if (claimed.length > 0) return null
  const [earlier] = await on.query<EarlierCall>(
    'select digest, status, answer from call where caller = $1 and key = $2',
    [row.caller, row.key],
  )
  return earlier ?? null
}

export async function recordCall(
  on: Queryable,
  row: CallRow & { readonly price: bigint; readonly status: string; readonly answer: unknown },
): Promise<void> {
  await on.query(
    `insert into call (id, at, caller, method, digest, key, boot, price, status, answer)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     on conflict (id) do update set price = excluded.price, status = excluded.status, answer = excluded.answer`,
    [
      row.id,
      row.at,
      row.caller,
      row.method,
      row.digest,
      row.key,
      row.boot,
      row.price,
      row.status,
      row.answer === undefined ? null : JSON.stringify(row.answer),
    ],
  )
}

/** A key free again: the call under it was refused in a way that may be otherwise next time. */
export async function releaseKey(on: Queryable, id: string): Promise<void> {
  await on.query('delete from call where id = $1', [id])
}

/**
 * Answers are kept for a week; that a call was made is kept for a quarter, and in a flood of calls for as long as there
 * is room for it.
 */
export async function forgetOldCalls(on: Queryable, now: Date, most = MOST_CALLS): Promise<void> {
  await on.query(
    `update call set key = null, answer = null where key is not null and at < $1::timestamptz - interval '7 days'`,
    [now],
  )
  await on.query(`delete from call where at < $1::timestamptz - interval '90 days'`, [now])
  await on.query('delete from call where at <= (select at from call order by at desc offset $1 limit 1)', [most])
}
