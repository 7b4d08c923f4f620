import assert from 'node:assert/strict'
import test from 'node:test'
import { accountOf, ALLOWANCE, COMMONS } from '../metering/index.ts'
import { DAY, HOUR, PROVIDER, run } from '../metering/testing.ts'
import { host, withFunding, type FundedBench } from './testing.ts'

/** A tenth of a core all day: 66,666 micros, and two thirds of one. */
const TENTH_OF_A_CORE = 100_000n // ns per ms
const STEP = 6 * HOUR

async function live(bench: FundedBench, app: string, days: number): Promise<void> {
  const hosted = await host(bench, app)
  for (let left = days * DAY; left > 0; left -= STEP) {
    await run(bench, STEP, STEP, () => {
      for (const { id } of bench.world.read()) bench.world.use(id, { cpuNs: TENTH_OF_A_CORE * BigInt(STEP) })
    })
    await hosted.look()
  }
  await hosted.stop()
}

const balance = async (bench: FundedBench, name: string) => (await bench.accounts.balance(name)).balance

test('an app goes from funded to low, thrifty and frozen on the days its runway said, and any payment revives it', () =>
  withFunding(async (bench) => {
    const { id: app } = await bench.app()
    await bench.give(app, 3_000_000n) // 2.85 at 0.0666 a day: 42.75 days
    await live(bench, app, 10)
    const { runway, costPerDay } = await bench.funding.purse(app)
    assert.equal(costPerDay, 66_666n)
    assert.deepEqual(
      [runway.earliest, runway.latest].map((date) => date!.toISOString().slice(0, 10)),
      ['2026-02-12', '2026-02-12'],
    )
    await live(bench, app, 33)
    assert.deepEqual(await bench.history(app), [
      '2026-01-01T00:00 frozen: New: nobody has paid for it yet.',
      '2026-01-01T00:00 low: Fewer than 14 days of money are left, until 3 Jan 2026 at the earliest, 8 May 2026 at the latest (an estimate).',
      '2026-01-08T00:00 funded: Paid for, until 12 Feb 2026.',
      '2026-01-30T00:00 low: Fewer than 14 days of money are left, until 12 Feb 2026.',
      '2026-02-09T18:00 thrifty: Fewer than 3 days of money are left, until 12 Feb 2026: builds, workers and timed jobs wait, and it sleeps while nobody visits.',
      '2026-02-12T18:00 frozen: The purse is empty: all that was in it is used. Nothing is lost; any payment starts the app again.',
    ])
    assert.equal(await balance(bench, accountOf.purse(app)), 0n)
    assert.equal(await balance(bench, accountOf.provider(PROVIDER)), 2_850_000n)

    await bench.give(app, 100_000n, 'a stranger')
    assert.deepEqual(
      (await bench.history(app)).at(-1),
      '2026-02-13T00:00 thrifty: Fewer than 3 days of money are left, until 14 Feb 2026: builds, workers and timed jobs wait, and it sleeps while nobody visits.',
    )
    await live(bench, app, 1)
    assert.equal(await balance(bench, accountOf.purse(app)), 95_000n - 66_666n, 'it runs again and pays what it uses')
    await bench.give(app, 10_000_000n)
    assert.equal(await bench.state(app), 'funded')
    await bench.assertSound()
  }))

test('a frozen app lives on its reserve for 30 days, then it is archived and the commons keeps it', () =>
  withFunding(async (bench) => {
    const other = await bench.app()
    await bench.give(other.id, 10_000_000n) // Puts 0.50 into the commons.
    const { id: app } = await bench.app()
    await bench.metering.keep({ app, sizeBytes: 10_000_000_000 }) // 0.05 a day
    await bench.give(app, 400_000n) // 0.02 + 0.19 + 0.19
    await bench.metering.settle(app)
    const spend = async (days: number) => {
      for (let day = 0; day < days; day++) {
        await run(bench, DAY, DAY)
        await bench.funding.follow()
      }
    }
    await spend(4) // The purse pays rent while it has anything: 3.8 days.
    assert.equal(await bench.state(app), 'frozen')
    assert.equal(await balance(bench, accountOf.reserve(app)), 180_000n)
    await spend(3)
    assert.equal(await balance(bench, accountOf.reserve(app)), 30_000n)
    await spend(1)
    assert.equal(await balance(bench, accountOf.reserve(app)), 0n)
    assert.equal(await balance(bench, COMMONS), 520_000n - 20_000n)
    assert.equal(await bench.state(app), 'frozen')
    await spend(30)
    assert.equal(await bench.state(app), 'archived')
    const uncharged = await bench.services.database.query<{ micros: bigint }>(
      'select sum(uncharged)::bigint as micros from rent_charge',
    )
    assert.equal(await balance(bench, COMMONS), 0n)
    assert.ok(uncharged[0]!.micros > 0n, 'what nobody could pay is written down, and the app is kept')
    await bench.give(app, 100_000n)
    assert.equal(await bench.state(app), 'thrifty')
    await bench.assertSound()
  }))

test('an app whose last money is held by its own build is stopped, and goes on when the build ends', () =>
  withFunding(async (bench) => {
    const { id: app } = await bench.app()
    await bench.give(app, 100_000n)
    const hold = await bench.metering.openHold({ payer: accountOf.purse(app), app, cause: 'build', ceiling: 50_000n })
    assert.ok('hold' in hold)
    const hosted = await host(bench, app)
    await run(bench, HOUR - 60_000, 60_000, () => {
      for (const { id } of bench.world.read()) bench.world.use(id, { cpuNs: 60_000_000_000n * 2n })
    })
    await hosted.look()
    assert.equal(hosted.running(), false)
    assert.equal(await bench.state(app), 'frozen')
    await bench.metering.settleBuild({ hold: hold.hold, cpuNs: 1_000_000_000n })
    await hosted.look()
    assert.equal(await bench.state(app), 'thrifty')
    assert.equal(hosted.running(), true)
    await bench.assertSound()
  }))

test('an app on the start allowance is frozen when its minute of the day is used, and goes on the next day', () =>
  withFunding(async (bench) => {
    const { funding, metering, world } = bench
    await bench.pay(ALLOWANCE, 1_000_000n)
    const { id: app } = await bench.app()
    await funding.open(app)
    assert.equal(await funding.payerOf(app, 'run'), ALLOWANCE)
    assert.equal(await metering.attach({ app, instance: 'one', payer: ALLOWANCE }), null)
    world.start('one')
    world.onExhausted = async (id, sentence) => {
      await funding.exhausted(id, sentence)
      await metering.detach('one')
      await metering.settle(id)
    }
    await run(bench, HOUR, 60_000, () => world.use('one', { cpuNs: 2_000_000_000n }))
    const states: string[] = []
    for (let hour = 1; hour <= 24; hour++) {
      await funding.follow()
      states.push(await bench.state(app))
      await run(bench, HOUR, HOUR)
    }
    assert.deepEqual([states[0], states[22], states[23]], ['frozen', 'frozen', 'thrifty'])
    assert.equal(await funding.payerOf(app, 'run'), ALLOWANCE)
    await bench.assertSound()
  }))
