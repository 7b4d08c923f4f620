/** The bytes of rows and leaves are the same in SQL, in TypeScript and in spec/vectors. */
import { entryBytes, entryLeafData, fromHex, KINDS, leafHash, recordLeafData, toHex } from '@perennial/protocol'
import type { Entry, LedgerRecord, Publicity } from '@perennial/protocol'
import { testDatabase } from '@perennial/testnet/postgres'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import type pg from 'pg'
import { SCALE } from './random.ts'
import { template } from './test-ledger.ts'

interface Vectors {
  entries: { name: string; entry: Record<string, string | number>; visible: Publicity; bytes: string; leaf: string }[]
  records: { name: string; record: Record<string, string | number>; leaf: string }[]
}

test('SQL makes the bytes and leaves of spec/vectors', async () => {
  await using database = await testDatabase(template)
  const file = new URL('../../../../spec/vectors/entry.json', import.meta.url)
  const { entries, records } = JSON.parse(readFileSync(file, 'utf8')) as Vectors
  for (const { name, entry, visible, bytes, leaf } of entries) {
    assert.deepEqual(await inSql(database.pool, read<Entry>(entry), visible), { bytes, leaf }, name)
  }
  for (const { name, record, leaf } of records) {
    assert.equal(await recordInSql(database.pool, read<LedgerRecord>(record)), leaf, name)
  }
})

test('SQL and TypeScript make the same bytes of any row', async () => {
  await using database = await testDatabase(template)
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  const int16 = fc.integer({ min: -32_768, max: 32_767 })
  const entry: fc.Arbitrary<Entry> = fc.record({
    seq: int64,
    id: fc.uuid(),
    kind: fc.constantFrom('transfer', 'hold', 'post', 'void', 'expire'),
    code: int16,
    asset: int16,
    at: int64,
    debit: int64,
    credit: int64,
    amount: int64,
    ref: int64,
    expires: int64,
    debitBalance: int64,
    debitHeld: int64,
    creditBalance: int64,
    debitVersion: int64,
    creditVersion: int64,
    salt: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  })
  const visible = fc.record({ debit: fc.boolean(), credit: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(entry, visible, async (row, shown) => {
      const expected = { bytes: toHex(entryBytes(row)), leaf: toHex(leafHash(entryLeafData(row, shown))) }
      assert.deepEqual(await inSql(database.pool, row, shown), expected)
      const record = { seq: row.seq, topic: row.code, at: row.at, hash: entryBytes(row).slice(0, 32) }
      assert.equal(await recordInSql(database.pool, record), toHex(leafHash(recordLeafData(record))))
    }),
    { numRuns: 100 * SCALE },
  )
})

async function inSql(pool: pg.Pool, e: Entry, visible: Publicity): Promise<{ bytes: string; leaf: string }> {
  const { rows } = await pool.query<{ bytes: string; leaf: string }>(
    `select encode(bytes, 'hex') as bytes,
       encode(ledger.leaf($1, $3, $4, $5, $6, $7, $18, $8, $19, $9, $10, sha256(bytes)), 'hex') as leaf
     from ledger.entry($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) as bytes`,
    (
      [e.seq, e.id, KINDS[e.kind], e.code, e.asset, e.at, e.debit, e.credit, e.amount, e.ref, e.expires] as unknown[]
    ).concat(
      [e.debitBalance, e.debitHeld, e.creditBalance, e.debitVersion, e.creditVersion, Buffer.from(e.salt)],
      [visible.debit, visible.credit],
    ),
  )
  return rows[0]!
}

async function recordInSql(pool: pg.Pool, { seq, topic, at, hash }: LedgerRecord): Promise<string> {
  const { rows } = await pool.query<{ leaf: string }>(
    `select encode(ledger.record_leaf($1, $2, $3, $4), 'hex') as leaf`,
    [seq, topic, at, Buffer.from(hash)],
  )
  return rows[0]!.leaf
}

/** A vector's fields as the type has them: decimal strings are bigints, salts and hashes are bytes. */
function read<T>(fields: Record<string, string | number>): T {
  const entries = Object.entries(fields).map(([name, value]): [string, unknown] => {
    if (name === 'salt' || name === 'hash') return [name, fromHex(String(value))]
    return [name, typeof value === 'string' && /^-?\d+$/.test(value) ? BigInt(value) : value]
  })
  return Object.fromEntries(entries) as T
}
