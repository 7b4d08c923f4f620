import fc from 'fast-check'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { fromBase64, fromBase64Url, fromHex, toBase64, toBase64Url, toHex, utf8 } from './bytes.ts'
import { entryBytes, entryLeafData, leafHash, recordLeafData, type Entry, type Kind } from './entry.ts'
import { deriveId, newId, UUID } from './id.ts'
import { Malformed } from './malformed.ts'
import { sha256 } from './sha256.ts'
import { SCALE, vectors } from './testing/vectors.ts'

type Written = { [Name in keyof Entry]: Entry[Name] extends bigint | Uint8Array ? string : Entry[Name] }
interface Vectors {
  entries: {
    name: string
    entry: Written
    visible: { debit: boolean; credit: boolean }
    bytes: string
    leafData: string
    leaf: string
  }[]
  records: {
    name: string
    record: { seq: string; topic: number; at: string; hash: string }
    leafData: string
    leaf: string
  }[]
}
interface Ids {
  derive: { parts: string[]; id: string }[]
  new: { nowMs: number; random: string; id: string }[]
}
const known = await vectors<Vectors>('entry')
const ids = await vectors<Ids>('ids')

function read(written: Written): Entry {
  const { id, kind, code, asset, salt, ...numbers } = written
  const integers = Object.fromEntries(Object.entries(numbers).map(([name, digits]) => [name, BigInt(digits)]))
  return { id, kind, code, asset, salt: fromHex(salt), ...integers } as unknown as Entry
}

test('a row and its leaf have the bytes that the spec gives them', () => {
  for (const { name, entry, visible, bytes, leafData, leaf } of known.entries) {
    assert.equal(toHex(entryBytes(read(entry))), bytes, name)
    const data = entryLeafData(read(entry), visible)
    assert.equal(toHex(data), leafData, name)
    assert.equal(toHex(leafHash(data)), leaf, name)
  }
  for (const { name, record, leafData, leaf } of known.records) {
    const { topic } = record
    const data = recordLeafData({ seq: BigInt(record.seq), topic, at: BigInt(record.at), hash: fromHex(record.hash) })
    assert.equal(toHex(data), leafData, name)
    assert.equal(toHex(leafHash(data)), leaf, name)
  }
})

test('what happens between two people shows no account, no amount and no time', () => {
  const kinds: Kind[] = ['hold', 'void', 'expire']
  const entry = read(known.entries[0]!.entry)
  const hidden = { debit: false, credit: false }
  for (const data of [
    entryLeafData(entry, hidden),
    ...kinds.map((kind) => entryLeafData({ ...entry, kind }, { debit: true, credit: true })),
  ]) {
    assert.equal(data.length, 41)
    assert.equal(data[0], 1)
  }
})

test('any change of any field changes the leaf', () => {
  const entry = read(known.entries[0]!.entry)
  const hash = (of: Entry) => toHex(leafHash(entryLeafData(of, { debit: true, credit: true })))
  const changes: Partial<Entry>[] = [
    { id: newId() },
    { kind: 'post' },
    { code: entry.code + 1 },
    { asset: entry.asset + 1 },
    { salt: entry.salt.map((byte) => byte ^ 1) },
    ...Object.entries(entry).flatMap(([name, value]) => (typeof value === 'bigint' ? [{ [name]: value + 1n }] : [])),
  ]
  assert.equal(changes.length, 17)
  assert.equal(new Set([hash(entry), ...changes.map((change) => hash({ ...entry, ...change }))]).size, 18)
})

test('a row that does not fit its fields is refused, not cut', () => {
  const entry = read(known.entries[0]!.entry)
  const wrong: Partial<Entry>[] = [
    { amount: 2n ** 63n },
    { code: 32_768 },
    { asset: 1.5 },
    { salt: new Uint8Array(15) },
    { id: 'not-a-uuid' },
  ]
  for (const change of wrong) assert.throws(() => entryBytes({ ...entry, ...change }), Malformed)
})

test('the same cause has the same id, and no other cause has it', () => {
  for (const { parts, id } of ids.derive) assert.equal(deriveId(...parts), id)
  for (const { nowMs, random, id } of ids.new) assert.equal(newId({ nowMs, random: fromHex(random) }), id)
  const cause = fc.array(fc.string({ maxLength: 5 }), { maxLength: 4 })
  fc.assert(
    fc.property(cause, cause, (one, other) => {
      assert.match(deriveId(...one), UUID)
      assert.equal(deriveId(...one) === deriveId(...other), JSON.stringify(one) === JSON.stringify(other))
    }),
    { numRuns: 200 * SCALE },
  )
})

test('new ids sort by time', () => {
  const made = [1, 65_535, 65_536, 1_790_000_000_000, 1_790_000_065_536].map((nowMs) => newId({ nowMs }))
  assert.deepEqual([...made].sort(), made)
  assert.notEqual(newId({ nowMs: 1 }), newId({ nowMs: 1 }))
})

test('SHA-256 is SHA-256', () => {
  const fips = {
    '': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    abc: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  }
  for (const [message, digest] of Object.entries(fips)) assert.equal(toHex(sha256(utf8(message))), digest)
  for (let length = 0; length < 200; length++) {
    const message = new Uint8Array(length).map((_, i) => i * 7 + length)
    assert.equal(toHex(sha256(message)), createHash('sha256').update(message).digest('hex'))
  }
})

test('bytes have one spelling in each alphabet, and other spellings are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.string({ maxLength: 12 }), (bytes, text) => {
      for (const [write, parse] of [
        [toHex, fromHex],
        [toBase64, fromBase64],
        [toBase64Url, fromBase64Url],
      ] as const) {
        assert.deepEqual(parse(write(bytes)), Uint8Array.from(bytes))
        try {
          assert.equal(write(parse(text)), text)
        } catch (error) {
          assert.ok(error instanceof Malformed)
        }
      }
    }),
    { numRuns: 300 * SCALE },
  )
  for (const text of ['AB==', 'A===', 'AA=A', 'A', '====', 'AA']) assert.throws(() => fromBase64(text), Malformed, text)
})
