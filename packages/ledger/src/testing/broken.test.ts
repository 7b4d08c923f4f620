/** Each rule of `broken` must see its fault: a check that never fails proves nothing. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { ledgerSql } from '../index.ts'
import { event, testLedger, type TestLedger } from './test-ledger.ts'

/** What somebody with the superuser's password might do → the rule that notices. */
const FAULTS: Record<string, string> = {
  'update ledger.account set balance = balance + 1 where id = 1': 'money is conserved',
  'alter table ledger.account drop constraint above_floor; update ledger.account set held = 500 where id = 2':
    'nobody is below the floor',
  'update ledger.transfer set debit_held = 500 where debit = 2 and kind = 1': 'no row took anybody below the floor',
  'delete from ledger.transfer where seq = 2': 'numbers run from 1 to the head without a gap',
  'delete from ledger.batch where last_seq = 2': 'each batch follows the last',
  'update ledger.transfer set amount = amount + 1 where seq = 1': 'each balance is the last one plus the row',
  'update ledger.account set version = version + 1 where id = 3': 'an account is as its last row left it',
  'update ledger.account set held = held + 1 where id = 1': 'what is held is the sum of open holds',
  'delete from ledger.hold': 'a hold is open until a row resolves it',
  'update ledger.transfer set credit = 4 where kind = 2': 'a resolution stays within its hold',
  'update ledger.account set asset = 2 where id = 3': 'a transfer stays within one asset',
  'update ledger.transfer set code = 99 where seq = 1': 'a leaf is the hash of its row',
  'update ledger.record set topic = 99': `a record's leaf is the hash of its row`,
}

/** Faults that hide from the database's own rules and are found by making leaves and chain again. */
const FAULTS_OF_THE_CHAIN: Record<string, string> = {
  'update ledger.batch set chain = sha256(chain) where last_seq = 2': 'the chain of leaves differs',
  'update ledger.batch set chain = sha256(chain)': 'the chain of leaves differs',
  'update ledger.transfer set leaf = sha256(leaf) where seq = 2': 'a leaf made again from its row differs',
  'update ledger.batch set last_seq = 100 where last_seq = (select seq from ledger.head)':
    'the chain does not end at the head',
}

for (const [fault, rule] of Object.entries({ ...FAULTS, ...FAULTS_OF_THE_CHAIN })) {
  test(`${rule}: noticed after ${fault}`, async () => {
    await using t = await soundLedger()
    await t.database.pool.query(`begin; set local session_replication_role = replica; ${fault}; commit`) // Without triggers.
    const broken = await t.ledger.verify()
    assert.ok(
      broken.some((sentence) => sentence.includes(rule)),
      `reported instead: ${broken.join('; ') || 'nothing'}`,
    )
  })
}

test('every rule of the view has a fault here that it notices', () => {
  const sql = readFileSync(new URL('006-broken.sql', ledgerSql), 'utf8')
  const rules = [...sql.matchAll(/^ *select '((?:[^']|'')+)'/gm)].map((match) => match[1]!.replaceAll(`''`, `'`))
  assert.deepEqual(rules.toSorted(), Object.values(FAULTS).toSorted())
})

async function soundLedger(): Promise<TestLedger> {
  const t = await testLedger()
  const rail = await t.open('rail', { floor: null })
  const purse = await t.open('purse', { public: true })
  const node = await t.open('node', { public: true })
  await t.open('elsewhere')
  const held = event({ kind: 'hold', debit: purse, credit: node, amount: 10n })
  const open = event({ kind: 'hold', debit: purse, credit: node, amount: 20n })
  await t.ledger.post(event({ debit: rail, credit: purse, amount: 100n }))
  await t.ledger.post(held)
  await t.ledger.record({ topic: 1, document: 'genesis' })
  await t.ledger.post([event({ kind: 'post', ref: held.id, amount: 9n }), open])
  assert.deepEqual(await t.ledger.verify(), [])
  return t
}
