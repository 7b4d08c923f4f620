import assert from 'node:assert/strict'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEFAULT_PRICE_BOOK, deriveId, isRefusal, rate, transferCode } from '@perennial/protocol'
import { accountOf, ALLOWANCE } from './accounts.ts'
import { intervalId } from './stream.ts'
import { DAY, HOUR, run, withBench, type Bench } from './testing.ts'

const SECOND_NS = 1_000_000_000n
const cpuPrice = (ns: bigint) => rate({ usage: ns, price: DEFAULT_PRICE_BOOK.prices.cpu, carried: 0n }).micros

async function started(bench: Bench, money: bigint, instance = 'one'): Promise<string> {
  const { id } = await bench.app(money)
  const refused = await bench.metering.attach({ app: id, instance, payer: accountOf.purse(id) })
  assert.equal(refused, null)
  bench.world.start(instance)
  return id
}

test('an hour of work is charged at the hour, to the micro, and the provider has it', () =>
  withBench(async (bench) => {
    const app = await started(bench, 5_000_000n)
    await run(bench, HOUR - 60_000, 60_000, () => bench.world.use('one', { cpuNs: 6n * SECOND_NS }))
    assert.equal((await bench.balances(app)).provider, 0n, 'nothing is posted before the hour')
    assert.equal(bench.metering.projection(app).unposted, cpuPrice(354n * SECOND_NS))
    await run(bench, 60_000, 60_000, () => bench.world.use('one', { cpuNs: 6n * SECOND_NS }))
    const cost = cpuPrice(360n * SECOND_NS)
    const { purse, clearing, provider } = await bench.balances(app)
    assert.deepEqual([purse, clearing, provider], [5_000_000n - cost, 0n, cost])
    assert.equal(bench.metering.projection(app).unposted, 0n)
    await bench.assertSound()
  }))

test('what is held for an hour is the public maximum burn and not a micro more', () =>
  withBench(async (bench) => {
    const app = await started(bench, 5_000_000n)
    assert.equal((await bench.balances(app)).held, bench.metering.maxBurn.run)
    // Ten times what a flood may cost.
    bench.world.request(app, 10_000_000n, 50_000_000_000n)
    await run(bench, HOUR)
    const { purse } = await bench.balances(app)
    assert.equal(5_000_000n - purse, bench.metering.maxBurn.run)
    assert.ok((await bench.metering.uncharged(app)) > 0n, 'the rest is recorded and not charged')
    assert.equal(bench.world.exhausted.length, 0)
    await bench.assertSound()
  }))

test('an app whose purse runs dry in mid-hour is charged to the last micro and told to stop', () =>
  withBench(async (bench) => {
    const app = await started(bench, 100n)
    await run(bench, 60_000, 1000, () => bench.world.use('one', { cpuNs: SECOND_NS }))
    const { purse, held, provider } = await bench.balances(app)
    assert.deepEqual([purse, held, provider], [0n, 0n, 100n])
    assert.match(bench.world.exhausted[0]!.sentence, /The purse is empty/)
    await bench.assertSound()
  }))

test('money that arrives in mid-hour is held before the old hold is used up', () =>
  withBench(async (bench) => {
    const app = await started(bench, 300n)
    const work = () => bench.world.use('one', { cpuNs: SECOND_NS })
    await run(bench, 30_000, 1000, work)
    await bench.pay(accountOf.purse(app), 1_000_000n)
    await run(bench, 60_000, 1000, work)
    assert.equal(bench.world.exhausted.length, 0)
    assert.equal((await bench.balances(app)).held, bench.metering.maxBurn.run)
    await run(bench, HOUR - 90_000, 60_000)
    assert.equal((await bench.balances(app)).provider, cpuPrice(90n * SECOND_NS))
    await bench.assertSound()
  }))

test('an app that is slow to stop holds up nobody else’s charges', () =>
  withBench(async (bench) => {
    await started(bench, 10n, 'poor')
    const rich = await started(bench, 5_000_000n, 'rich')
    const { promise: halted, resolve: halt } = Promise.withResolvers<void>()
    bench.world.onExhausted = () => halted
    const until = async (so: () => Promise<boolean>) => {
      for (let second = 0; second < 200 && !(await so()); second++) {
        await bench.clock.advance(1_000)
        await sleep(10)
      }
      assert.ok(await so())
    }
    for (const instance of ['poor', 'rich']) bench.world.use(instance, { cpuNs: 60n * SECOND_NS })
    bench.metering.start()
    await until(async () => bench.world.exhausted.length > 0)
    await bench.clock.advance(HOUR)
    await until(async () => (await bench.balances(rich)).purse < 5_000_000n)
    halt()
    await bench.metering.close()
    await bench.assertSound()
  }))

test('without money nothing starts: the payer is refused before the sandbox exists', () =>
  withBench(async (bench) => {
    const { id } = await bench.app()
    const refused = await bench.metering.attach({ app: id, instance: 'one', payer: accountOf.purse(id) })
    assert.ok(isRefusal(refused))
    assert.equal(refused.refusal, 'request-declined/payment-required')
    const rows = await bench.services.database.query(`select 1 from meter_mark union all select 1 from usage_hold`)
    assert.equal(rows.length, 0)
  }))

test('settling charges everything at once and frees what is held', () =>
  withBench(async (bench) => {
    const app = await started(bench, 5_000_000n)
    await run(bench, 600_000)
    bench.world.use('one', { cpuNs: 100n * SECOND_NS })
    await bench.metering.detach('one')
    await bench.metering.settle(app)
    const { purse, held, clearing, provider } = await bench.balances(app)
    assert.deepEqual([purse, held, clearing, provider], [5_000_000n - provider, 0n, 0n, cpuPrice(100n * SECOND_NS)])
    assert.deepEqual(bench.metering.projection(app), { unposted: 0n, held: 0n })
    await bench.assertSound()
  }))

test('a charge that the ledger refuses is set aside: what follows is held for, charged, and can be settled', () =>
  withBench(async (bench) => {
    const app = await started(bench, 5_000_000n)
    const { accounts, ledger, services } = bench
    const [stream] = await services.database.query<{ payer: string; number: bigint }>('select * from meter_stream')
    const usage = intervalId({ app, payer: stream!.payer, number: stream!.number })
    const [debit, credit] = [await accounts.id(accountOf.rail('push-button')), await accounts.id('commons')]
    // Something else stands under the charge's id.
    const code = transferCode('contribution-commons')
    await ledger.post({ id: deriveId('charge', usage, 'cpu'), debit, credit, amount: 1n, code })
    bench.world.use('one', { cpuNs: 100n * SECOND_NS })
    await run(bench, HOUR)
    assert.equal((await bench.balances(app)).provider, 0n)
    bench.world.use('one', { cpuNs: 50n * SECOND_NS })
    await run(bench, HOUR)
    const second = cpuPrice(150n * SECOND_NS) - cpuPrice(100n * SECOND_NS)
    assert.equal((await bench.balances(app)).provider, second)
    await bench.metering.detach('one')
    await bench.metering.settle(app)
    assert.equal((await bench.balances(app)).held, bench.metering.maxBurn.run, 'what was held for it stays held')
    await bench.restart()
    await bench.metering.sample()
    await bench.metering.settle(app)
    await bench.assertSound()
  }))

test('a node whose key changed between posting and marking posts the same charge again', async () => {
  let dead = false
  const crash = (point: string) => {
    if (point === 'posted' && !dead) {
      dead = true
      throw new Error('killed')
    }
  }
  await withBench(
    async (bench) => {
      const app = await started(bench, 5_000_000n)
      bench.world.use('one', { cpuNs: 100n * SECOND_NS })
      await assert.rejects(run(bench, HOUR), /killed/)
      await bench.restart({ provider: 'did:key:z6MkNext' })
      await bench.metering.sample()
      await bench.metering.detach('one')
      await bench.metering.settle(app)
      const { provider, held } = await bench.balances(app)
      assert.deepEqual([provider, held], [cpuPrice(100n * SECOND_NS), 0n])
      await bench.assertSound()
    },
    { crash },
  )
})

test('a sandbox that was detached or restarted is never counted twice', () =>
  withBench(async (bench) => {
    const app = await started(bench, 5_000_000n)
    bench.world.use('one', { cpuNs: 10n * SECOND_NS })
    await run(bench, 120_000)
    await bench.restart()
    await bench.restart()
    assert.equal(await bench.metering.attach({ app, instance: 'one', payer: accountOf.purse(app) }), null)
    await run(bench, 60_000)
    bench.world.start('one') // New counters, from zero.
    bench.world.use('one', { cpuNs: 5n * SECOND_NS })
    await run(bench, 60_000)
    await bench.metering.detach('one')
    await bench.metering.detach('one')
    await run(bench, HOUR)
    assert.equal((await bench.balances(app)).provider, cpuPrice(15n * SECOND_NS))
    assert.equal((await bench.balances(app)).held, 0n)
    await bench.assertSound()
  }))

test('a node that was away charges what ran meanwhile, as many hours as it was away', () =>
  withBench(async (bench) => {
    const app = await started(bench, 5_000_000n)
    await run(bench, 10 * 60_000)
    bench.world.use('one', { cpuNs: 9_000n * SECOND_NS }) // 2.5 hours of a core: more than one hour's maximum.
    await bench.clock.advance(3 * HOUR)
    await bench.restart()
    await bench.metering.sample()
    await bench.metering.sample()
    assert.equal((await bench.balances(app)).provider, cpuPrice(9_000n * SECOND_NS))
    await bench.assertSound()
  }))

for (const outcome of ['fails', 'succeeds without saying so']) {
  test(`readings go on while every transaction ${outcome}, and nothing is lost or charged twice`, () =>
    withBench(async (bench) => {
      const app = await started(bench, 5_000_000n)
      const { database } = bench.services
      const transaction = database.transaction.bind(database)
      const away: typeof transaction = async (work) => {
        if (outcome !== 'fails') await transaction(work)
        throw new Error('the connection was lost')
      }
      Object.assign(database, { transaction: away })
      for (let minute = 0; minute < 90; minute++) {
        await bench.clock.advance(60_000)
        bench.world.use('one', { cpuNs: 6n * SECOND_NS })
        await assert.doesNotReject(bench.metering.sample().catch((error: Error) => assert.match(error.message, /lost/)))
      }
      Object.assign(database, { transaction })
      await run(bench, 60_000)
      await bench.metering.settle(app)
      assert.equal((await bench.balances(app)).provider, cpuPrice(540n * SECOND_NS))
      await bench.assertSound()
    }))
}

test('the start allowance pays one CPU-minute a day; then the app waits for a payment or for the next day', () =>
  withBench(async (bench) => {
    await bench.pay(ALLOWANCE, 1_000_000n)
    const { id } = await bench.app()
    const attach = (instance: string) => bench.metering.attach({ app: id, instance, payer: ALLOWANCE })
    assert.equal(await attach('one'), null)
    bench.world.start('one')
    await run(bench, 25 * HOUR, HOUR / 2, () => bench.world.use('one', { cpuNs: SECOND_NS }))
    assert.equal(bench.world.exhausted.length, 0, '50 s on the first day, and the second day counts anew')
    await run(bench, HOUR, HOUR / 60, () => bench.world.use('one', { cpuNs: 2n * SECOND_NS }))
    assert.match(bench.world.exhausted[0]!.sentence, /start allowance is used up/)
    await bench.metering.detach('one')
    const again = await attach('two')
    assert.ok(isRefusal(again))
    await bench.restart()
    assert.ok(isRefusal(await attach('two')), 'also after a restart')
    assert.match(bench.metering.ended(id, ALLOWANCE)!, /1 CPU-minute a day/)
    await run(bench, 21 * HOUR, HOUR)
    assert.ok(isRefusal(await attach('two')), 'until the day ends')
    await run(bench, HOUR)
    assert.equal(bench.metering.ended(id, ALLOWANCE), null)
    assert.equal(await attach('two'), null, 'the third day counts anew')
    await bench.assertSound()
  }))

test('five hundred apps are sampled each second for a small part of a core', (t) =>
  withBench(async (bench) => {
    for (let place = 0; place < 500; place++) await started(bench, 5_000_000n, `one-${place}`)
    const before = process.cpuUsage()
    await run(bench, 20_000, 1_000, () => {
      for (let place = 0; place < 500; place++) bench.world.use(`one-${place}`, { cpuNs: 100_000_000n })
    })
    const { user, system } = process.cpuUsage(before)
    const msPerSample = (user + system) / 20_000
    t.diagnostic(`${msPerSample.toFixed(1)} ms of CPU a sample, checkpoints included`)
    assert.ok(msPerSample < 50, `${msPerSample} ms`)
  }))

test('what runs on goes from one payer to the next without a nanosecond lost or paid twice', () =>
  withBench(async (bench) => {
    const app = await started(bench, 5_000_000n)
    await bench.pay(ALLOWANCE, 5_000_000n)
    const work = () => bench.world.use('one', { cpuNs: SECOND_NS })
    await run(bench, 30_000, 1000, work)
    bench.world.use('one', { cpuNs: SECOND_NS })
    assert.equal(await bench.metering.attach({ app, instance: 'one', payer: ALLOWANCE }), null)
    await bench.restart()
    await run(bench, 20_000, 1000, work)
    await bench.metering.detach('one')
    await bench.metering.settle(app)
    const rows = await bench.services.database.query<{ payer: string; used: string }>(
      `select usage.payer, line.used::text from usage_line as line join usage_interval as usage on usage.id = line.usage
        where line.meter = 'cpu' order by usage.ended_at, usage.payer`,
    )
    assert.deepEqual(Object.fromEntries(rows.map(({ payer, used }) => [payer, BigInt(used) / SECOND_NS])), {
      [accountOf.purse(app)]: 31n,
      [ALLOWANCE]: 20n,
    })
    await bench.assertSound()
  }))

test('what became of old holds is forgotten, what is still open is not', () =>
  withBench(async (bench) => {
    await started(bench, 1_000_000n)
    await run(bench, 2 * HOUR)
    const { database } = bench.services
    const count = async (where: string) => (await database.query(`select from usage_hold where ${where}`)).length
    assert.ok((await count('resolved')) > 0 && (await count('not resolved')) > 0)
    await database.query(`update usage_hold set asked_at = asked_at - interval '91 days'`)
    const open = await count('not resolved')
    await bench.clock.advance(22 * HOUR - 1)
    await bench.metering.sample()
    assert.ok((await count('not resolved')) >= open, 'what is open stays, however old')
    await run(bench, 2 * DAY, HOUR)
    assert.equal(await count(`asked_at < '2025-12-01'`), 0)
    assert.ok((await count('not resolved')) > 0)
    assert.equal((await bench.ledger.verify()).length, 0)
  }))
