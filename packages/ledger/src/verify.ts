/**
 * Whether the ledger is what it says: the database checks its own rules (sql/006-broken.sql), then every leaf and
 * the chain over all batches are made again here, by the code that strangers use, from the rows.
 *
 * Reads everything, at one moment, while others post: some 60 µs a row. For tests, audits and nightly runs.
 */
import { entryLeafData, equalBytes, leafHash, recordLeafData, sha256, type Entry } from '@perennial/protocol'
import type pg from 'pg'
import { kindOf } from './statement.ts'

const PAGE = 2_000

/** Sentences that say what is broken and where; none means sound. */
export async function verify(readers: pg.Pool): Promise<string[]> {
  const client = await readers.connect()
  try {
    await client.query('begin isolation level repeatable read read only')
    const { rows } = await client.query<{ rule: string; subject: string }>('select rule, subject from ledger.broken')
    const broken = rows.map(({ rule, subject }) => `broken: ${rule} (${subject})`)
    return [...broken, ...(await replay(client))]
  } finally {
    await client.query('rollback').finally(() => client.release())
  }
}

interface LeafRow {
  seq: bigint
  leaf: Buffer
  at_micros: bigint
  topic: number | null
  hash: Buffer
  id: string
  kind: number
  code: number
  asset: number
  debit: bigint
  credit: bigint
  amount: bigint
  ref: bigint | null
  expires: bigint | null
  debit_balance: bigint
  debit_held: bigint
  credit_balance: bigint
  debit_version: bigint
  credit_version: bigint
  salt: Buffer
  debit_public: boolean
  credit_public: boolean
}

async function replay(client: pg.PoolClient): Promise<string[]> {
  const broken: string[] = []
  let chain: Uint8Array = new Uint8Array(32)
  let leaves: Uint8Array[] = []
  let seq = 0n
  for (;;) {
    const { rows } = await client.query<LeafRow & { last_of_batch: Buffer | null }>(
      `select l.*, ledger.micros_of(l.at) as at_micros, b.chain as last_of_batch
       from (
         select t.seq, t.leaf, t.at, null::smallint as topic, null::bytea as hash, t.id, t.kind, t.code, d.asset, t.debit, t.credit,
           t.amount, t.ref, t.expires, t.debit_balance, t.debit_held, t.credit_balance, t.debit_version, t.credit_version, t.salt,
           d.public as debit_public, c.public as credit_public
         from ledger.transfer as t
         join ledger.account as d on d.id = t.debit
         join ledger.account as c on c.id = t.credit
         where t.seq > $1 and t.seq <= $1 + $2
         union all
         select r.seq, r.leaf, r.at, r.topic, r.hash, null, null, null, null, null, null,
           null, null, null, null, null, null, null, null, null, null, null
         from ledger.record as r
         where r.seq > $1 and r.seq <= $1 + $2
       ) as l
       left join ledger.batch as b on b.last_seq = l.seq
       order by l.seq`,
      [seq, PAGE],
    )
    for (const row of rows) {
      if (!equalBytes(leafOf(row), row.leaf))
        broken.push(`broken: a leaf made again from its row differs (seq ${row.seq})`)
      leaves.push(row.leaf)
      if (row.last_of_batch === null) continue
      chain = sha256(Buffer.concat([chain, ...leaves]))
      leaves = []
      if (!equalBytes(chain, row.last_of_batch))
        broken.push(`broken: the chain of leaves differs (batch to seq ${row.seq})`)
      chain = row.last_of_batch // So that one altered batch is reported once.
    }
    if (rows.length === 0) break
    seq += BigInt(PAGE)
  }
  const { rows } = await client.query<{ chain: Buffer }>('select chain from ledger.head')
  if (leaves.length > 0 || !equalBytes(chain, rows[0]!.chain)) broken.push('broken: the chain does not end at the head')
  return broken
}

function leafOf(row: LeafRow): Uint8Array {
  const at = row.at_micros
  if (row.topic !== null) return leafHash(recordLeafData({ seq: row.seq, topic: row.topic, at, hash: row.hash }))
  const entry: Entry = {
    seq: row.seq,
    id: row.id,
    kind: kindOf(row.kind),
    code: row.code,
    asset: row.asset,
    at,
    debit: row.debit,
    credit: row.credit,
    amount: row.amount,
    ref: row.ref ?? 0n,
    expires: row.expires ?? 0n,
    debitBalance: row.debit_balance,
    debitHeld: row.debit_held,
    creditBalance: row.credit_balance,
    debitVersion: row.debit_version,
    creditVersion: row.credit_version,
    salt: row.salt,
  }
  return leafHash(entryLeafData(entry, { debit: row.debit_public, credit: row.credit_public }))
}
