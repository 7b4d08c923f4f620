import assert from 'node:assert/strict'
import test from 'node:test'
import { DEFAULT_PRICE_BOOK, isRefusal, newId, rate, rateCeiling, type Refusal } from '@perennial/protocol'
import { accountOf, ALLOWANCE } from './accounts.ts'
import { ALLOWANCE_BUILD_CPU_NS } from './allowance.ts'
import type { BuildHold } from './builds.ts'
import { HOUR, withBench, type Bench } from './testing.ts'

const MINUTE_NS = 60_000_000_000n
const price = DEFAULT_PRICE_BOOK.prices.build
const cost = (ns: bigint) => rate({ usage: ns, price, carried: 0n }).micros
const CEILING = rateCeiling({ usage: 15n * MINUTE_NS, price })

async function hold(bench: Bench, app: string, cause: string, payer = accountOf.purse(app)): Promise<BuildHold> {
  const held = await bench.metering.openHold({ payer, app, cause, ceiling: CEILING })
  if (isRefusal(held)) throw new Error(held.sentence)
  return held
}

test('a build is charged what it took, and the rest of its ceiling is free again', () =>
  withBench(async (bench) => {
    const { id: app } = await bench.app(1_000_000n)
    const { hold: id, micros, cpuNs } = await hold(bench, app, newId())
    assert.equal(micros, CEILING)
    assert.ok(cpuNs >= 15n * MINUTE_NS)
    assert.equal((await bench.balances(app)).held, CEILING)
    assert.equal(await bench.metering.settleBuild({ hold: id, cpuNs: 2n * MINUTE_NS }), cost(2n * MINUTE_NS))
    const { purse, held, clearing, provider } = await bench.balances(app)
    assert.deepEqual([purse, held, clearing, provider], [1_000_000n - provider, 0n, 0n, cost(2n * MINUTE_NS)])
    await bench.assertSound()
  }))

test('a deployment that is told twice, by kills, holds once and pays once', () =>
  withBench(async (bench) => {
    const { id: app } = await bench.app(1_000_000n)
    const cause = newId()
    const holds = await Promise.all(Array.from({ length: 4 }, () => hold(bench, app, cause)))
    assert.equal(new Set(holds.map((one) => one.hold)).size, 1)
    assert.equal((await bench.balances(app)).held, CEILING)
    const ended = { hold: holds[0]!.hold, cpuNs: MINUTE_NS }
    assert.equal(await bench.metering.settleBuild(ended), cost(MINUTE_NS))
    await bench.restart()
    // What it says the second time counts nothing: the first was stored.
    assert.equal(await bench.metering.settleBuild({ ...ended, cpuNs: 9n * MINUTE_NS }), cost(MINUTE_NS))
    assert.equal((await bench.balances(app)).provider, cost(MINUTE_NS))
    await bench.assertSound()
  }))

for (const point of ['build-hold-stored', 'build-hold-posted', 'build-stored', 'posted', 'marked']) {
  test(`a build that is cut off at ${point} is paid once all the same`, () => {
    let armed = true
    const crash = (at: string) => {
      if (at !== point || !armed) return
      armed = false
      throw new Error(`cut off at ${at}`)
    }
    return withBench(
      async (bench) => {
        const { id: app } = await bench.app(1_000_000n)
        const cause = newId()
        const build = async () => {
          const { hold: id } = await hold(bench, app, cause)
          return bench.metering.settleBuild({ hold: id, cpuNs: MINUTE_NS })
        }
        const settled = point.startsWith('build-hold') ? undefined : await hold(bench, app, cause)
        const first = settled ? bench.metering.settleBuild({ hold: settled.hold, cpuNs: MINUTE_NS }) : build()
        await assert.rejects(first, /cut off/)
        await bench.restart()
        await bench.metering.sample()
        if (settled) await bench.metering.settleBuild({ hold: settled.hold, cpuNs: MINUTE_NS })
        else await build()
        const { purse, held, provider } = await bench.balances(app)
        assert.deepEqual([purse, held, provider], [1_000_000n - cost(MINUTE_NS), 0n, cost(MINUTE_NS)])
        await bench.assertSound()
      },
      { crash },
    )
  })
}

test('a purse without the whole ceiling is told what is missing, and pays later under the same deployment', () =>
  withBench(async (bench) => {
    const { id: app } = await bench.app(100n)
    const ask = { payer: accountOf.purse(app), app, cause: newId(), ceiling: CEILING }
    const refused = (await bench.metering.openHold(ask)) as Refusal
    assert.match(refused.sentence, /may cost up to 0\.013889, and 0\.0001 is free for it\. Nothing was charged/)
    assert.equal((await bench.balances(app)).held, 0n)
    await bench.pay(accountOf.purse(app), 1_000_000n)
    assert.ok(!isRefusal(await bench.metering.openHold(ask)))
  }))

test('builds that burn too fast wait for the next hour', () =>
  withBench(async (bench) => {
    const { id: app } = await bench.app(10_000_000n)
    for (let build = 0; build < 4; build++) {
      const held = await hold(bench, app, newId())
      await bench.metering.settleBuild({ hold: held.hold, cpuNs: held.cpuNs })
    }
    const ask = { payer: accountOf.purse(app), app, cause: newId(), ceiling: CEILING }
    const refused = (await bench.metering.openHold(ask)) as Refusal
    assert.equal(refused.refusal, 'request-declined/rate-limit')
    assert.match(refused.nextStep!, /after 01:00 UTC/)
    await bench.clock.advance(HOUR)
    assert.ok(!isRefusal(await bench.metering.openHold(ask)))
    assert.ok((await bench.balances(app)).provider <= bench.metering.maxBurn.build)
  }))

test('the start allowance builds for five CPU-minutes in all, however many builds that is', () =>
  withBench(async (bench) => {
    await bench.pay(ALLOWANCE, 1_000_000n)
    const { id: app } = await bench.app()
    const first = await hold(bench, app, newId(), ALLOWANCE)
    assert.equal(first.micros, rateCeiling({ usage: ALLOWANCE_BUILD_CPU_NS, price }))
    await bench.metering.settleBuild({ hold: first.hold, cpuNs: 4n * MINUTE_NS })
    const second = await hold(bench, app, newId(), ALLOWANCE)
    assert.equal(second.micros, rateCeiling({ usage: MINUTE_NS, price }))
    await bench.metering.settleBuild({ hold: second.hold, cpuNs: MINUTE_NS })
    const ask = { payer: ALLOWANCE, app, cause: newId(), ceiling: CEILING }
    assert.match(((await bench.metering.openHold(ask)) as Refusal).sentence, /5 CPU-minutes for builds is used up/)
    assert.equal(await bench.metering.allowanceForBuild(app), 0n)
    await bench.assertSound()
  }))
