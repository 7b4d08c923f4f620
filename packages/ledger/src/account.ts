/** Accounts: opened by name once, then known by number. */
import type pg from 'pg'
import type { Writer } from './writer.ts'

export interface AccountTerms {
  /** Unique; at most 500 characters. Ours are listed in README.md. */
  name: string
  asset: number
  /** Whether the public log shows this account's number, or only "a member". Decided once: leaves are for ever. */
  public: boolean
  /** The lowest that balance − held may be: 0n = no overdraft, −n = a credit line of n, null = no limit. */
  floor: bigint | null
}

export interface Account extends AccountTerms {
  id: bigint
  /** Credits minus debits, in micros. */
  balance: bigint
  /** Reserved by open holds; still part of the balance. */
  held: bigint
  /** How many rows touched it. */
  version: bigint
  /** What could be moved or held now; null = no limit. */
  available: bigint | null
}

/** Returns the number of the account of that name, opened now or before; throws if it was opened on other terms. */
export async function openAccount(writer: Writer, terms: AccountTerms): Promise<bigint> {
  const { id } = await writer.ask<{ id: bigint }>({
    name: 'open_account',
    text: 'select ledger.open_account($1, $2, $3, $4) as id',
    values: [terms.name, terms.asset, terms.public, terms.floor],
  })
  return id
}

export async function account(readers: pg.Pool, which: bigint | string): Promise<Account | undefined> {
  const { rows } = await readers.query<Account>(
    `select id, name, asset, public, floor, balance, held, version, balance - held - floor as available
     from ledger.account
     where ${typeof which === 'bigint' ? 'id' : 'name'} = $1`,
    [which],
  )
  return rows[0]
}

/** The balance after the last row at or before `at`, in three index probes however long the history is. */
export async function balanceAt(readers: pg.Pool, { account, at }: { account: bigint; at: Date }): Promise<bigint> {
  const { rows } = await readers.query<{ balance: bigint }>(
    `with last as (
       select last_seq as seq from ledger.batch where at <= $2 order by at desc, last_seq desc limit 1
     ), debit as (
       select t.seq, t.debit_balance as balance from ledger.transfer as t, last
       where t.debit = $1 and t.seq <= last.seq order by t.seq desc limit 1
     ), credit as (
       select t.seq, t.credit_balance as balance from ledger.transfer as t, last
       where t.credit = $1 and t.seq <= last.seq order by t.seq desc limit 1
     )
     select balance from (select * from debit union all select * from credit) as row order by seq desc limit 1`,
    [account, at],
  )
  return rows[0]?.balance ?? 0n
}
