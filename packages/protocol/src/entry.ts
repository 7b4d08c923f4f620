/**
 * The bytes of a ledger row and of its leaf in the public log: spec/entry-and-leaf.md.
 *
 * Big-endian, fixed width, no optional fields, so that a row has one encoding in SQL, here and anywhere else.
 */
import { concat, fromHex, type Bytes } from './bytes.ts'
import { UUID } from './id.ts'
import { Malformed } from './malformed.ts'
import { sha256 } from './sha256.ts'

/** The number of each kind of row, in rows and leaves. */
export const KINDS = { transfer: 0, hold: 1, post: 2, void: 3, expire: 4 } as const
export type Kind = keyof typeof KINDS

/** Stands in a public leaf for any account that is not public: people are one pool, without names. */
export const MEMBERS = 0n

export interface Entry {
  readonly seq: bigint
  readonly id: string
  readonly kind: Kind
  readonly code: number
  readonly asset: number
  /** Unix microseconds. */
  readonly at: bigint
  readonly debit: bigint
  readonly credit: bigint
  readonly amount: bigint
  /** The seq of the hold that this row resolves; 0 = none. */
  readonly ref: bigint
  /** Unix seconds; 0 = never. */
  readonly expires: bigint
  readonly debitBalance: bigint
  readonly debitHeld: bigint
  readonly creditBalance: bigint
  readonly debitVersion: bigint
  readonly creditVersion: bigint
  /** 16 bytes that only the parties and the ledger know, so that nobody finds a row's content by guessing. */
  readonly salt: Uint8Array
}

/** Who may see the accounts of a row in clear. */
export interface Publicity {
  readonly debit: boolean
  readonly credit: boolean
}

export interface LedgerRecord {
  readonly seq: bigint
  readonly topic: number
  /** Unix microseconds. */
  readonly at: bigint
  /** SHA-256 of the public document. */
  readonly hash: Uint8Array
}

const ENTRY_SIZE = 134

export function entryBytes(entry: Entry): Bytes {
  if (!UUID.test(entry.id)) throw new Malformed(`an entry's id is a lower-case UUID; got ${entry.id}`)
  if (entry.salt.length !== 16) throw new Malformed("an entry's salt is 16 bytes")
  const bytes = concat(
    int64(entry.seq),
    fromHex(entry.id.replaceAll('-', '')),
    int16(KINDS[entry.kind]),
    int16(entry.code),
    int16(entry.asset),
    int64(entry.at),
    int64(entry.debit),
    int64(entry.credit),
    int64(entry.amount),
    int64(entry.ref),
    int64(entry.expires),
    int64(entry.debitBalance),
    int64(entry.debitHeld),
    int64(entry.creditBalance),
    int64(entry.debitVersion),
    int64(entry.creditVersion),
    entry.salt,
  )
  if (bytes.length !== ENTRY_SIZE) throw new Error(`an entry has ${ENTRY_SIZE} bytes, not ${bytes.length}`)
  return bytes
}

/**
 * What the log shows of a row. Type 2, in clear, when money moved from or to a public account; type 1, a
 * commitment only, for everything else: holds, voids, expiries and what people pay each other.
 */
export function entryLeafData(entry: Entry, visible: Publicity): Bytes {
  const commitment = sha256(entryBytes(entry))
  const moves = entry.kind === 'transfer' || entry.kind === 'post'
  if (!moves || !(visible.debit || visible.credit)) return concat(Uint8Array.of(1), int64(entry.seq), commitment)
  return concat(
    Uint8Array.of(2),
    int64(entry.seq),
    int16(KINDS[entry.kind]),
    int16(entry.code),
    int16(entry.asset),
    int64(entry.at),
    int64(visible.debit ? entry.debit : MEMBERS),
    int64(visible.credit ? entry.credit : MEMBERS),
    int64(entry.amount),
    int64(entry.ref),
    commitment,
  )
}

export function recordLeafData(record: LedgerRecord): Bytes {
  if (record.hash.length !== 32) throw new Malformed("a record's hash is 32 bytes")
  return concat(Uint8Array.of(3), int64(record.seq), int16(record.topic), int64(record.at), record.hash)
}

/** RFC 6962: a leaf's hash can never be mistaken for an inner node's. */
export function leafHash(leafData: Uint8Array): Bytes {
  return sha256(concat(Uint8Array.of(0), leafData))
}

function int64(value: bigint): Bytes {
  if (BigInt.asIntN(64, value) !== value) throw new Malformed(`${value} does not fit 8 bytes`)
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigInt64(0, value)
  return bytes
}

function int16(value: number): Bytes {
  if (!Number.isInteger(value) || value < -32_768 || value > 32_767)
    throw new Malformed(`${value} does not fit 2 bytes`)
  const bytes = new Uint8Array(2)
  new DataView(bytes.buffer).setInt16(0, value)
  return bytes
}
