import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { isRefusal, newId } from '@perennial/protocol'
import { accountOf, ALLOWANCE, COMMONS } from '../metering/index.ts'
import { PROVIDER } from '../metering/testing.ts'
import { withFunding, type FundedBench } from './testing.ts'

const SCALE = Number(process.env['TEST_SCALE'] ?? 1)
const APPS = 3

type Act =
  | { readonly do: 'pay'; readonly app: number; readonly amount: bigint; readonly id: number }
  | {
      readonly do: 'work'
      readonly app: number
      readonly cpuNs: bigint
      readonly egressBytes: bigint
      readonly requests: bigint
    }
  | { readonly do: 'attach' | 'detach' | 'settle' | 'rent'; readonly app: number }
  | { readonly do: 'hold' | 'build'; readonly app: number; readonly build: number; readonly micros: bigint }
  | { readonly do: 'keep'; readonly app: number; readonly sizeBytes: number }
  | { readonly do: 'wait'; readonly ms: number }
  /** The next question to the database fails; or it is answered, and nobody hears of it. */
  | { readonly do: 'hiccup'; readonly of: 'transaction' | 'query'; readonly answered: boolean }
  | { readonly do: 'follow' | 'sample' | 'restart' }

const app = fc.nat(APPS - 1)
const big = (max: bigint) => fc.bigInt(0n, max)
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('pay' as const), app, amount: big(3_000_000n), id: fc.nat(12) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('work' as const),
      app,
      cpuNs: big(10n ** 13n),
      egressBytes: big(10n ** 9n),
      requests: big(200_000n),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('attach' as const, 'detach' as const, 'settle' as const, 'rent' as const),
      app,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('hold' as const, 'build' as const),
      app,
      build: fc.nat(2),
      micros: big(60_000n),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('keep' as const), app, sizeBytes: fc.nat(2_000_000_000) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1000, 60_000, 1_800_000, 7_200_000, 90_000_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('hiccup' as const),
      of: fc.constantFrom('transaction' as const, 'query' as const),
      answered: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('follow' as const, 'sample' as const, 'sample' as const, 'restart' as const),
    }),
  },
)

const HICCUP = 'the connection was lost'

/** Steps one after the other; the acts of a step at the same time. */
const story = fc.array(fc.array(act, { minLength: 1, maxLength: 4 }), { minLength: 4, maxLength: 14 })

test('whatever happens in whatever order, every micro is somewhere and no account crosses its floor', async () => {
  await fc.assert(
    fc.asyncProperty(story, (steps) => withFunding((bench) => tell(bench, steps))),
    // A story takes a second: shrinking one would outlast the run. The seed and the story are printed.
    { numRuns: 12 * SCALE, endOnFailure: true },
  )
})

async function tell(bench: FundedBench, steps: readonly (readonly Act[])[]): Promise<void> {
  await bench.pay(ALLOWANCE, 20_000n)
  const apps = [(await bench.app()).id, (await bench.app()).id, (await bench.app()).id]
  const paymentIds = Array.from({ length: 13 }, () => newId())
  const paid = new Map<string, bigint>()
  const holds = new Map<string, string>()
  const cutOff: Act[] = []
  let instances = 0
  const running = new Map<string, string[]>(apps.map((id) => [id, []]))

  const { database } = bench.services
  const whole = { transaction: database.transaction.bind(database), query: database.query.bind(database) }
  const hiccup = (of: 'transaction' | 'query', answered: boolean): void => {
    const once = async (...question: unknown[]) => {
      Object.assign(database, whole)
      if (answered) await (whole[of] as (...asked: unknown[]) => Promise<unknown>)(...question)
      throw new Error(HICCUP)
    }
    Object.assign(database, { [of]: once })
  }

  const perform = async (one: Act): Promise<void> => {
    if (one.do === 'hiccup') return hiccup(one.of, one.answered)
    if (one.do === 'wait') return bench.clock.advance(one.ms)
    if (!('app' in one)) {
      if (one.do === 'follow') await bench.funding.follow()
      if (one.do === 'sample') await bench.metering.sample()
      return
    }
    const id = apps[one.app]!
    const alive = running.get(id)!
    switch (one.do) {
      case 'pay': {
        const payment = paymentIds[one.id]!
        const outcome = await bench.funding.contribute({ id: payment, app: id, amount: one.amount })
        if (!isRefusal(outcome)) paid.set(payment, outcome.amount)
        return
      }
      case 'work':
        if (alive[0]) bench.world.use(alive[0], { cpuNs: one.cpuNs, egressBytes: one.egressBytes })
        return bench.world.request(id, one.requests, 0n)
      case 'attach': {
        const instance = `sandbox-${instances++}`
        const payer = await bench.funding.payerOf(id, 'run')
        if (!payer || (await bench.metering.attach({ app: id, instance, payer }))) return
        bench.world.start(instance, 40_000_000n)
        alive.push(instance)
        return
      }
      case 'detach': {
        const instance = alive.shift()
        if (!instance) return
        await bench.metering.detach(instance)
        return bench.world.remove(instance)
      }
      case 'settle':
        return bench.metering.settle(id)
      case 'rent':
        return bench.metering.collectRent(id)
      case 'keep':
        return bench.metering.keep({ app: id, sizeBytes: one.sizeBytes })
      case 'hold': {
        const payer = await bench.funding.payerOf(id, 'build', one.micros)
        const cause = `${id} ${one.build}`
        if (!payer || one.micros === 0n || holds.has(cause)) return
        const outcome = await bench.metering.openHold({ payer, app: id, cause, ceiling: one.micros })
        if (!isRefusal(outcome)) holds.set(cause, outcome.hold)
        return
      }
      case 'build': {
        const hold = holds.get(`${id} ${one.build}`)
        if (hold) await bench.metering.settleBuild({ hold, cpuNs: one.micros * 100_000_000n })
      }
    }
  }

  for (const step of steps) {
    const tried = await Promise.allSettled(step.map(perform))
    for (const [place, one] of tried.entries()) {
      if (one.status !== 'rejected') continue
      if (!String(one.reason).includes(HICCUP)) throw one.reason
      if (step[place]!.do === 'build') cutOff.push(step[place]!)
    }
    if (step.some((one) => one.do === 'restart')) {
      Object.assign(database, whole)
      await bench.restart()
    }
    await bench.assertSound()
  }
  Object.assign(database, whole)
  await bench.funding.recover()
  // The job of a build tries again until it is settled.
  for (const build of cutOff) await perform(build)
  for (const id of apps) await bench.metering.settle(id)
  for (const id of apps) await bench.metering.collectRent(id)
  await bench.clock.advance(90_000_000)
  await bench.metering.sample()
  await bench.assertSound()

  const balance = async (name: string) => (await bench.accounts.balance(name)).balance
  const names = [COMMONS, ALLOWANCE, accountOf.provider(PROVIDER)]
  for (const id of apps) names.push(accountOf.purse(id), accountOf.reserve(id), accountOf.clearing(id))
  const balances = await Promise.all(names.map(balance))
  const all = balances.reduce((sum, one) => sum + one, 0n)
  const stored = await database.query<{ id: string; amount: bigint }>(
    'select id, amount from contribution where posted_at is not null',
  )
  for (const [id, amount] of paid)
    assert.equal(stored.find((row) => row.id === id)?.amount, amount, 'what was acknowledged is there')
  assert.equal(
    all,
    stored.reduce((sum, row) => sum + row.amount, 20_000n),
    'what was paid in is what there is',
  )
  const [books] = await database.query<{ charged: bigint }>(
    `select (select coalesce(sum(charged), 0) from usage_interval)::bigint
          + (select coalesce(sum(from_purse + from_reserve + from_commons), 0) from rent_charge)::bigint as charged`,
  )
  assert.equal(await balance(accountOf.provider(PROVIDER)), books!.charged, 'what was charged is what the provider has')
  const hours = await database.query<{ charged: bigint; hours: bigint }>(
    `select sum(charged)::bigint as charged,
            sum(greatest(1, floor(extract(epoch from ended_at) / 3600) - floor(extract(epoch from started_at) / 3600)) - 1)::bigint + 1 as hours
       from usage_interval where cause = 'run'
      group by app, payer, floor(extract(epoch from started_at) / 3600)`,
  )
  for (const hour of hours)
    assert.ok(hour.charged <= hour.hours * bench.metering.maxBurn.run, 'the public maximum burn holds')
}
