import assert from 'node:assert/strict'
import test from 'node:test'
import { isRefusal, newId, type Refusal } from '@perennial/protocol'
import { accountOf, ALLOWANCE, COMMONS } from '../metering/index.ts'
import { DAY, HOUR } from '../metering/testing.ts'
import { withFunding, type FundedBench } from './testing.ts'

const balance = async (bench: FundedBench, name: string) => (await bench.accounts.balance(name)).balance

test('of 10.00, 0.50 goes to the commons, up to half of the rest fills the reserve, all else is the app’s', () =>
  withFunding(async (bench) => {
    const { id } = await bench.app()
    await bench.metering.keep({ app: id, sizeBytes: 10_000_000_000 }) // 30 days of rent: 1.50
    const receipt = await bench.give(id, 10_000_000n, 'tern')
    assert.deepEqual(receipt.parts, { commons: 500_000n, reserve: 1_500_000n, purse: 8_000_000n })
    assert.equal(await balance(bench, accountOf.purse(id)), 8_000_000n)
    assert.equal(await balance(bench, accountOf.reserve(id)), 1_500_000n)
    assert.equal(await balance(bench, COMMONS), 500_000n)
    const second = await bench.give(id, 1_000_000n)
    assert.equal(second.parts.reserve, 0n, 'a full reserve takes no more')
    const [last, first] = await bench.funding.contributions({ app: id, limit: 10 })
    assert.deepEqual([first!.name, first!.amount, last!.name], ['tern', 10_000_000n, null])
    assert.deepEqual(await bench.funding.countContributions(id), { payments: 2, payers: 2 })
    await bench.assertSound()
  }))

test('many payments at once fill the reserve once', () =>
  withFunding(async (bench) => {
    const { id } = await bench.app()
    await bench.metering.keep({ app: id, sizeBytes: 1_000_000_000 })
    await Promise.all(Array.from({ length: 6 }, () => bench.give(id, 1_000_000n)))
    assert.equal(await balance(bench, accountOf.reserve(id)), 150_000n)
    assert.equal(await balance(bench, accountOf.purse(id)), 6n * 950_000n - 150_000n)
    await bench.assertSound()
  }))

test('a payment sent twice is one payment; its id with other details is refused', () =>
  withFunding(async (bench) => {
    const { id: app } = await bench.app()
    const payment = { id: newId(), app, amount: 1_000_000n, name: 'tern' }
    const receipts = await Promise.all(Array.from({ length: 5 }, () => bench.funding.contribute(payment)))
    for (const receipt of receipts) assert.deepEqual(receipt, receipts[0])
    assert.equal(await balance(bench, accountOf.purse(app)), 950_000n)
    for (const other of [{ amount: 2_000_000n }, { name: 'wren' }, { app: (await bench.app()).id }]) {
      const refused = (await bench.funding.contribute({ ...payment, ...other })) as Refusal
      assert.equal(refused.refusal, 'client-error/idempotency')
      assert.match(refused.sentence, /Nothing was paid now/)
    }
    assert.equal((await bench.services.database.query(`select from event where type = 'contributed'`)).length, 1)
    await bench.assertSound()
  }))

test('what is not a payment is refused with a sentence, and nothing moves', () =>
  withFunding(async (bench) => {
    const { id: app } = await bench.app()
    const wrong = {
      'more than nothing': { amount: 0n },
      'more than nothing; −1.00': { amount: -1_000_000n },
      'smallest payment is 0.10': { amount: 99_999n },
      'at most 1,000.00 TEST': { amount: 1_000_000_001n },
      'paid for in TEST; BTC was offered': { asset: 'BTC' },
      'no payments by cheque': { rail: 'cheque' },
      'There is no app': { app: newId() },
      'needs an id': { id: 'seven' },
    }
    for (const [words, change] of Object.entries(wrong)) {
      const refused = await bench.funding.contribute({ id: newId(), app, amount: 1_000_000n, ...change })
      assert.ok(isRefusal(refused), words)
      assert.ok(refused.sentence.includes(words), refused.sentence)
    }
    assert.equal(await balance(bench, accountOf.purse(app)), 0n)
    assert.equal((await bench.services.database.query('select from contribution')).length, 0)
  }))

test('more payers at once than the node has connections are all served', () =>
  withFunding(async (bench) => {
    const { id: app } = await bench.app()
    await Promise.all(Array.from({ length: 40 }, () => bench.give(app, 1_000_000n)))
    assert.equal(await balance(bench, accountOf.purse(app)), 38_000_000n)
  }))

test('without the push button nobody can make money', () =>
  withFunding(
    async (bench) => {
      const { id: app } = await bench.app()
      const refused = await bench.funding.contribute({ id: newId(), app, amount: 1_000_000n })
      assert.ok(isRefusal(refused))
      await bench.funding.fillAllowance()
      assert.equal(await balance(bench, ALLOWANCE), 0n)
    },
    { environment: { PERENNIAL_PUSH_BUTTON: 'off' } },
  ))

test('the operator fills the start allowance once, however often the node starts', () =>
  withFunding(async (bench) => {
    for (let start = 0; start < 3; start++) await bench.funding.fillAllowance()
    assert.equal(await balance(bench, ALLOWANCE), 25_000_000n)
  }))

test('a new app lives on the allowance until someone pays, then on its purse', () =>
  withFunding(async (bench) => {
    const { id: app } = await bench.app()
    assert.equal(await bench.funding.payerOf(app, 'build'), null, 'without an allowance it waits for a payment')
    await bench.funding.fillAllowance()
    await bench.funding.open(app)
    assert.equal(await bench.funding.payerOf(app, 'build', 13_000n), ALLOWANCE)
    assert.equal(await bench.funding.payerOf(app, 'run'), ALLOWANCE)
    assert.equal(await bench.state(app), 'thrifty')
    await bench.give(app, 10_000_000n)
    assert.equal(await bench.funding.payerOf(app, 'build', 13_000n), accountOf.purse(app))
    assert.equal(await bench.funding.payerOf(app, 'run'), accountOf.purse(app))
    assert.deepEqual((await bench.history(app)).slice(1), [
      "2026-01-01T00:00 thrifty: It runs on this node's start allowance until someone pays for it.",
      '2026-01-01T00:00 low: Fewer than 14 days of money are left, until 7 Jan 2026 at the earliest, 1 Mar 2027 at the latest (an estimate).',
    ])
  }))

test('a quote says what is bought after both parts, rounded down, and the smallest payment that thaws', () =>
  withFunding(async (bench) => {
    const { id: app } = await bench.app()
    const quote = await bench.funding.quote({ app, amount: 10_000_000n })
    assert.ok(!isRefusal(quote))
    assert.deepEqual(quote.parts, { commons: 500_000n, reserve: 0n, purse: 9_500_000n })
    const burn = bench.metering.maxBurn.run
    assert.equal(quote.buysMs, Number((9_500_000n * BigInt(DAY)) / (burn * 24n)))
    assert.equal(quote.runway.earliest!.getTime() - bench.clock.now().getTime(), quote.buysMs)
    const { smallest } = await bench.funding.purse(app)
    assert.deepEqual(smallest, { amount: 100_000n, buysMs: Number((95_000n * BigInt(HOUR)) / burn) })
    await bench.give(app, smallest.amount)
    assert.equal(await bench.state(app), 'low')
  }))

test('charts get every day, the balance of each, and a step for each payment', () =>
  withFunding(async (bench) => {
    const { id: app } = await bench.app()
    await bench.clock.advance(DAY)
    await bench.give(app, 1_000_000n)
    await bench.clock.advance(2 * DAY)
    await bench.give(app, 2_000_000n)
    const days = await bench.funding.days(app, 5)
    assert.deepEqual(
      days.map(({ day, income, balance: rest }) => `${day} +${income} =${rest}`),
      [
        '2025-12-31 +0 =0',
        '2026-01-01 +0 =0',
        '2026-01-02 +950000 =950000',
        '2026-01-03 +0 =950000',
        '2026-01-04 +1900000 =2850000',
      ],
    )
    assert.deepEqual((await bench.funding.sparks([app], 3)).get(app), [950_000n, 950_000n, 2_850_000n])
    const points = await bench.funding.balances(app, new Date(0))
    assert.deepEqual(
      points.map((point) => point.balance),
      [0n, 950_000n, 950_000n, 2_850_000n],
    )
    const totals = await bench.funding.totals()
    // It was never built, so it does not run.
    assert.deepEqual([totals.paidIn, totals.toCommons, totals.apps, totals.running], [3_000_000n, 150_000n, 1, 0])
    assert.equal((await bench.funding.almanac(10))[0]!.app, app)
  }))

test('an app that runs on its last money keeps its payer while all of it is on hold', () =>
  withFunding(async (bench) => {
    const { id: app } = await bench.app()
    await bench.give(app, 100_000n)
    await bench.funding.fillAllowance()
    const payer = accountOf.purse(app)
    for (const instance of ['one', 'two']) await bench.metering.attach({ app, instance, payer })
    await bench.metering.sample()
    await bench.metering.openHold({ payer, app, cause: 'build', ceiling: 95_000n - bench.metering.maxBurn.run })
    assert.equal((await bench.accounts.balance(payer)).available, 0n)
    assert.equal(await bench.funding.payerOf(app, 'run'), payer)
    assert.equal(await bench.funding.payerOf(app, 'build', 13_000n), ALLOWANCE, 'its allowance for builds is unused')
  }))
