/**
 * Any interleaving of contributions, holds, charges, voids and retries conserves every micro, and no account ever
 * goes below its floor: the shapes that a node posts (DESIGN: life of a payment), fired at once in random groups.
 */
import { deriveId } from '@perennial/protocol'
import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { succeeded, type Event } from '../index.ts'
import { SCALE } from './random.ts'
import { testLedger, type TestLedger } from './test-ledger.ts'

type Step =
  | { do: 'contribute'; app: number; amount: number }
  | { do: 'hold'; app: number; amount: number }
  | { do: 'charge'; hold: number; shares: number[] }
  | { do: 'void'; hold: number }
  | { do: 'again'; step: number }

const apps = fc.nat({ max: 1 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('contribute' as const), app: apps, amount: fc.integer({ min: 20, max: 2_000 }) }),
  fc.record({ do: fc.constant('hold' as const), app: apps, amount: fc.integer({ min: 1, max: 3_000 }) }),
  fc.record({
    do: fc.constant('charge' as const),
    hold: fc.nat({ max: 9 }),
    shares: fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({ do: fc.constant('void' as const), hold: fc.nat({ max: 9 }) }),
  fc.record({ do: fc.constant('again' as const), step: fc.nat({ max: 20 }) }),
)

test('no interleaving of payments, holds, charges and retries makes, loses or overdraws a micro', async () => {
  await using t = await testLedger()
  let run = 0
  const groups = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(groups, (plan) => interleave(t, `run ${(run += 1)}`, plan)),
    { numRuns: 40 * SCALE },
  )
  assert.deepEqual(await t.ledger.verify(), [])
})

async function interleave(t: TestLedger, run: string, plan: readonly (readonly Step[])[]): Promise<void> {
  const open = (name: string, floor: bigint | null = 0n): Promise<bigint> => t.open(`${run} ${name}`, { floor })
  const [rail, commons, node] = await Promise.all([open('rail', null), open('commons'), open('node')])
  const perApp = await Promise.all(
    [0, 1].map(async (n) => ({
      purse: await open(`purse ${n}`),
      reserve: await open(`reserve ${n}`),
      clearing: await open(`clearing ${n}`),
    })),
  )
  const posted: { id: string; app: number; step: Step; events: Event[] }[] = []
  const createdOnce = new Map<string, number>()

  function eventsOf(what: Step): Event[] {
    const id = (...parts: string[]): string => deriveId(run, String(posted.length), ...parts)
    const holds = posted.filter((one) => one.step.do === 'hold')
    if (what.do === 'again') return posted[what.step % Math.max(posted.length, 1)]?.events ?? []
    if (what.do === 'contribute') {
      const amount = BigInt(what.amount)
      const [five, half] = [amount / 20n, (amount - amount / 20n) / 2n]
      const { purse, reserve } = perApp[what.app]!
      return [
        { id: id('commons'), code: 1, debit: rail, credit: commons, amount: five, linked: true },
        { id: id('reserve'), code: 2, debit: rail, credit: reserve, amount: half, linked: true },
        { id: id('purse'), code: 3, debit: rail, credit: purse, amount: amount - five - half },
      ]
    }
    if (what.do === 'hold') {
      const { purse, clearing } = perApp[what.app]!
      const hold = { id: id('hold'), code: 10, debit: purse, credit: clearing, amount: BigInt(what.amount) }
      return [{ ...hold, kind: 'hold', upTo: true }]
    }
    const hold = holds[what.hold % Math.max(holds.length, 1)]
    if (!hold) return []
    if (what.do === 'void') return [{ id: id('void'), code: 11, kind: 'void', ref: hold.id }]
    const sum = what.shares.reduce((total, share) => total + BigInt(share), 0n)
    const shares = what.shares.map((share, i) => ({
      id: id('share', String(i)),
      code: 20 + i,
      debit: perApp[hold.app]!.clearing,
      credit: node,
      amount: BigInt(share),
      linked: i < what.shares.length - 1,
    }))
    return [{ id: id('post'), code: 11, kind: 'post', ref: hold.id, amount: sum, linked: true }, ...shares]
  }

  for (const group of plan) {
    const asked = group.map((what) => {
      const events = eventsOf(what)
      if (events.length > 0) posted.push({ id: events[0]!.id, app: 'app' in what ? what.app : 0, step: what, events })
      return events
    })
    const answers = await Promise.all(asked.map((events) => t.ledger.post(events)))
    for (const [i, results] of answers.entries()) {
      assert.equal(new Set(results.map(succeeded)).size <= 1, true, 'a chain by half')
      for (const [j, { status }] of results.entries()) {
        const { id } = asked[i]![j]!
        if (status === 'created') createdOnce.set(id, (createdOnce.get(id) ?? 0) + 1)
      }
    }
  }

  assert.deepEqual(
    [...createdOnce.values()].filter((n) => n !== 1),
    [],
  )
  const names = ['rail', 'commons', 'node', ...[0, 1].flatMap((n) => [`purse ${n}`, `reserve ${n}`, `clearing ${n}`])]
  const accounts = await Promise.all(names.map(async (name) => (await t.ledger.account(`${run} ${name}`))!))
  assert.equal(
    accounts.reduce((sum, { balance }) => sum + balance, 0n),
    0n,
  )
  for (const { name, balance, held } of accounts) {
    if (!name.endsWith('rail')) assert.ok(balance - held >= 0n, `${name} has ${balance}, of which ${held} held`)
    if (name.includes('clearing')) assert.equal(balance, 0n, `${name} is not empty after its chains`)
  }
}
