import { newId } from '@perennial/protocol'
import assert from 'node:assert/strict'
import test from 'node:test'
import { event, testLedger } from './testing/test-ledger.ts'

test('a payment moves money once, however often it is posted', async () => {
  await using t = await testLedger()
  const [rail, purse] = [await t.open('rail', { floor: null }), await t.open('purse', { public: true })]
  const payment = event({ debit: rail, credit: purse, amount: 5_000_000n })

  assert.deepEqual(await t.ledger.post(payment), [{ status: 'created', seq: 1n, amount: 5_000_000n }])
  assert.deepEqual(await t.ledger.post(payment), [{ status: 'exists', seq: 1n, amount: 5_000_000n }])
  assert.deepEqual(await t.ledger.post({ ...payment, amount: 6_000_000n }), [{ status: 'exists-differently' }])

  assert.equal((await t.ledger.account('purse'))?.balance, 5_000_000n)
  assert.equal((await t.ledger.account(rail))?.balance, -5_000_000n)
  assert.deepEqual(await t.ledger.verify(), [])
})

test('a hold reserves, its post takes what was needed and releases the rest', async () => {
  await using t = await testLedger()
  const [rail, purse, clearing] = [
    await t.open('rail', { floor: null }),
    await t.open('purse'),
    await t.open('clearing'),
  ]
  const hold = event({ kind: 'hold', debit: purse, credit: clearing, amount: 70n })
  await t.ledger.post([event({ debit: rail, credit: purse, amount: 100n }), hold])
  assert.equal((await t.ledger.account(purse))?.available, 30n)
  assert.deepEqual(await t.ledger.post(event({ debit: purse, credit: rail, amount: 31n })), [{ status: 'below-floor' }])

  assert.deepEqual(await t.ledger.post(event({ kind: 'post', ref: hold.id, amount: 71n })), [{ status: 'bad-amount' }])
  const taken = event({ kind: 'post', ref: hold.id, amount: 45n })
  assert.deepEqual(await t.ledger.post(taken), [{ status: 'created', seq: 3n, amount: 45n }])
  assert.deepEqual(await t.ledger.post(event({ kind: 'void', ref: hold.id })), [{ status: 'already-resolved' }])

  const { balance, held } = (await t.ledger.account(purse))!
  assert.deepEqual({ balance, held }, { balance: 55n, held: 0n })
  assert.equal((await t.ledger.account('clearing'))?.balance, 45n)
  assert.deepEqual(await t.ledger.verify(), [])
})

test('a chain stands or falls as one', async () => {
  await using t = await testLedger()
  const [rail, purse, commons] = [await t.open('rail', { floor: null }), await t.open('purse'), await t.open('commons')]
  const chain = (last: bigint) => [
    event({ debit: rail, credit: commons, amount: 5n, linked: true }),
    event({ debit: commons, credit: purse, amount: last }),
  ]
  assert.deepEqual(await t.ledger.post(chain(6n)), [{ status: 'chain-failed' }, { status: 'below-floor' }])
  assert.equal((await t.ledger.account('commons'))?.version, 0n)

  const whole = chain(4n)
  assert.deepEqual(
    (await t.ledger.post(whole)).map((result) => result.status),
    ['created', 'created'],
  )
  assert.deepEqual(
    (await t.ledger.post(whole)).map((result) => result.status),
    ['exists', 'exists'],
  )
  const mixed = [{ ...whole[0]!, linked: true }, event({ debit: rail, credit: purse, amount: 1n })]
  assert.deepEqual(await t.ledger.post(mixed), [{ status: 'exists-differently' }, { status: 'chain-failed' }])
  assert.equal((await t.ledger.account(purse))?.balance, 4n)
  assert.deepEqual(await t.ledger.verify(), [])
})

test('"up to" takes what there is, and says how much', async () => {
  await using t = await testLedger()
  const [rail, purse, shop] = [await t.open('rail', { floor: null }), await t.open('purse'), await t.open('shop')]
  await t.ledger.post(event({ debit: rail, credit: purse, amount: 30n }))
  const greedy = event({ debit: purse, credit: shop, amount: 100n, upTo: true })
  assert.deepEqual(await t.ledger.post(greedy), [{ status: 'created', seq: 2n, amount: 30n }])
  assert.deepEqual(await t.ledger.post(greedy), [{ status: 'exists', seq: 2n, amount: 30n }])
  assert.deepEqual(await t.ledger.post(event({ debit: purse, credit: shop, amount: 1n, upTo: true })), [
    { status: 'below-floor' },
  ])
})

test('an expired hold is released once, by whoever sweeps', async () => {
  let nowMs = Date.UTC(2026, 0, 1)
  await using t = await testLedger({ now: () => nowMs })
  const [rail, purse] = [await t.open('rail', { floor: null }), await t.open('purse')]
  const hold = event({ kind: 'hold', debit: rail, credit: purse, amount: 10n, expires: new Date(nowMs + 60_000) })
  await t.ledger.post(hold)
  assert.deepEqual(await t.ledger.post(event({ kind: 'expire', ref: hold.id })), [{ status: 'hold-not-expired' }])
  assert.equal(await t.ledger.expire(), 0)

  nowMs += 60_000
  assert.deepEqual(await t.ledger.post(event({ kind: 'post', ref: hold.id, amount: 1n })), [{ status: 'hold-expired' }])
  const [one, two] = await Promise.all([t.ledger.expire(), t.ledger.expire()])
  assert.equal(one + two, 1)
  assert.equal((await t.ledger.account(rail))?.held, 0n)
  assert.deepEqual(await t.ledger.verify(), [])
})

test('a statement shows both names, what changed, and the balance after each row', async () => {
  let nowMs = Date.UTC(2026, 0, 1)
  await using t = await testLedger({ now: () => nowMs })
  const [rail, purse, node] = [await t.open('rail', { floor: null }), await t.open('purse'), await t.open('node')]
  await t.ledger.post(event({ debit: rail, credit: purse, amount: 100n, code: 3 }))
  nowMs += 3_600_000
  await t.ledger.post(event({ debit: purse, credit: node, amount: 8n, code: 20 }))

  const rows = await t.ledger.statement({ account: purse, limit: 10 })
  assert.deepEqual(
    rows.map(({ debit, credit, change, balance, code, at }) => [
      debit.name,
      credit.name,
      change,
      balance,
      code,
      at.toISOString(),
    ]),
    [
      ['rail', 'purse', 100n, 100n, 3, '2026-01-01T00:00:00.000Z'],
      ['purse', 'node', -8n, 92n, 20, '2026-01-01T01:00:00.000Z'],
    ],
  )
  assert.deepEqual(
    (await t.ledger.statement({ account: purse, after: 1n, limit: 10 })).map((row) => row.seq),
    [2n],
  )
  assert.deepEqual(
    (await t.ledger.statement({ account: purse, newestFirst: true, limit: 1 })).map((row) => row.seq),
    [2n],
  )
  assert.deepEqual(
    (await t.ledger.after(0n, 10)).map((row) => row.seq),
    [1n, 2n],
  )

  const at = (iso: string) => t.ledger.balanceAt({ account: purse, at: new Date(iso) })
  assert.equal(await at('2025-12-31T23:59:59Z'), 0n)
  assert.equal(await at('2026-01-01T00:59:59Z'), 100n)
  assert.equal(await at('2026-01-01T01:00:00Z'), 92n)
})

test('a record takes its number from the same sequence, once per document', async () => {
  await using t = await testLedger()
  const [rail, purse] = [await t.open('rail', { floor: null }), await t.open('purse')]
  await t.ledger.post(event({ debit: rail, credit: purse, amount: 1n }))
  assert.deepEqual(await t.ledger.record({ topic: 2, document: '{"release":"abc"}' }), { seq: 2n })
  assert.deepEqual(await t.ledger.record({ topic: 2, document: '{"release":"abc"}' }), { seq: 2n })
  assert.deepEqual(await t.ledger.record({ topic: 3, document: '{"release":"abc"}' }), { seq: 3n })
  assert.deepEqual(await t.ledger.post(event({ debit: rail, credit: purse, amount: 1n })), [
    { status: 'created', seq: 4n, amount: 1n },
  ])
  assert.deepEqual(await t.ledger.verify(), [])
})

test('an account opens once by name; other terms under the same name are an error', async () => {
  await using t = await testLedger()
  const ids = await Promise.all(Array.from({ length: 20 }, () => t.open('purse')))
  assert.deepEqual(new Set(ids), new Set([1n]))
  await assert.rejects(t.open('purse', { floor: null }), /account purse exists with other terms/)
  assert.equal(await t.ledger.account('nobody'), undefined)
})

test('an event that is no event is refused before it can hurt the others of its batch', async () => {
  await using t = await testLedger()
  const [rail, purse] = [await t.open('rail', { floor: null }), await t.open('purse')]
  const good = event({ debit: rail, credit: purse, amount: 1n })
  const bad = [
    { ...good, id: 'x' },
    { ...good, id: good.id.toUpperCase() + ' ' },
    { ...good, amount: 2n ** 63n },
    { ...good, amount: 1 as unknown as bigint },
    { ...good, code: 40_000 },
    { ...good, code: 1.5 },
    { ...good, kind: 'steal' as 'hold' },
    { ...good, ref: '1' },
    { ...good, expires: new Date(NaN) },
    { ...good, linked: true },
  ]
  const outcomes = await Promise.allSettled([...bad.map((one) => t.ledger.post(one)), t.ledger.post(good)])
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status),
    [...bad.map(() => 'rejected'), 'fulfilled'],
  )
  for (const outcome of outcomes.slice(0, -1))
    assert.match(String((outcome as PromiseRejectedResult).reason), /^BadEvent: (an )?event/)
  assert.deepEqual(await t.ledger.post([]), [])
})

test('an id refused once stays free', async () => {
  await using t = await testLedger()
  const [rail, purse, shop] = [await t.open('rail', { floor: null }), await t.open('purse'), await t.open('shop')]
  const wish = event({ id: newId(), debit: purse, credit: shop, amount: 9n })
  assert.deepEqual(await t.ledger.post(wish), [{ status: 'below-floor' }])
  await t.ledger.post(event({ debit: rail, credit: purse, amount: 9n }))
  assert.equal((await t.ledger.post(wish))[0]?.status, 'created')
})
