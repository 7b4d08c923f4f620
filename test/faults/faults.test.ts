import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { newId, type Price } from '@perennial/protocol'
import { campaign, type Scene } from './campaign.ts'
import { chargedTwice, type AppUsage } from './judge-usage.ts'
import { look } from './orphans.ts'
import { PHASES } from './phases.ts'
import { plantsOf } from './plants.ts'
import { histogram, violations } from './report.ts'
import { filesOf, wholeText } from './sample-app.ts'
import { judge } from './visitors.ts'

/** Its kills are of all four programs. */
const SEED = 27
const KILLS = PHASES.length

test('killed in each phase of its work, a node loses nothing, doubles nothing and leaves nothing behind', async (t) => {
  const say = (line: string) => t.diagnostic(line)
  const outcome = await campaign({ kills: KILLS, seed: SEED, say }, (scene) => controls(t, scene))
  for (const line of histogram(outcome.kills)) say(line)
  assert.deepEqual(violations(outcome), [])
  assert.equal(outcome.kills.length, KILLS)
  assert.deepEqual(new Set(outcome.kills.map(({ phase }) => phase)), new Set(PHASES))
})

/** A check that finds nothing where something was planted is blind, and what it said before means nothing. */
async function controls(t: TestContext, { node, file, crowd, oracle, audit }: Scene): Promise<void> {
  const [app] = crowd.town.apps
  assert.ok(app)

  await t.test('a payment that was acknowledged and is not on the books is seen', async () => {
    const id = newId()
    file.asked({ id, app: app.id, amount: 100_000n })
    file.paid({ id, parts: { commons: 5_000n, reserve: 0n, purse: 95_000n }, seq: 1n, at: '2026-01-01T00:00:00.000Z' })
    const { lost } = await oracle.check()
    assert.ok(lost.some((one) => one.includes(`payment ${id}: 95000 for the purse was acknowledged and is not there`)))
    assert.ok(
      lost.some((one) => (one.includes(id) && one.includes('is refused now')) || one.includes('another receipt')),
    )
  })

  await t.test('a payment that is on the books once more than anybody asked is seen', async () => {
    await node.fund(app.slug, 100_000n)
    const { doubled } = await oracle.check()
    assert.equal(doubled.filter((one) => one.includes('is of no payment that anybody asked for')).length, 2)
  })

  await t.test('a ledger that does not add up is seen', async () => {
    const asOwner = ['--reuid=perennial', '--regid=perennial', '--clear-groups']
    const psql = ['psql', '--quiet', '--dbname=perennial', `--host=${join(node.data, 'node/pg')}`]
    const add = (micros: string) => {
      const statement = `update ledger.account set balance = balance + ${micros} where name = 'commons'`
      execFileSync('setpriv', [...asOwner, ...psql, '-c', statement])
    }
    add('1')
    const broken = await audit.verify()
    add('-1')
    assert.ok(broken.length > 0)
    assert.deepEqual(await audit.verify(), [])
  })

  const plants = plantsOf(node.data, app.slug)
  const said = { building: new Set<string>(), instances: new Map([[app.slug, 0]]) }
  for (const { seenAs, plant } of plants) {
    await t.test(`an orphan is seen: ${seenAs.source}`, () => {
      assert.ok(!look(node.data, said).some((one) => seenAs.test(one)))
      const takeAway = plant()
      const found = look(node.data, said)
      takeAway()
      assert.ok(
        found.some((one) => seenAs.test(one)),
        found.join('\n'),
      )
    })
  }
}

test('CPU time that was charged and that the kernel did not count is seen', () => {
  const price: Price = { micros: 1n, per: 10_000n }
  const prices = { cpu: price, build: price }
  const row = { seq: 1n, kind: 'transfer', at: new Date(), debit: 'a', credit: 'b', balance: 0n, leaf: '' } as const
  const rows = ['one', 'two'].map((id) => ({ ...row, id, code: 'charge-cpu', amount: 300n }))
  const app: AppUsage = { name: 'hello', id: newId(), slug: 'hello--octo', rows }
  const counted = (cpuNs: bigint) => new Map([['i-1', { owner: app.slug, cpuNs, mostNs: cpuNs }]])
  const check = (usage: AppUsage, cpuNs: bigint) =>
    chargedTwice(usage, { prices, deployments: [], sandboxes: counted(cpuNs) })
  assert.deepEqual(check(app, 6_000_000n), [])
  assert.equal(check(app, 3_000_000n).length, 1)
  // A build's charge is of a deployment that somebody asked for.
  assert.equal(check({ ...app, rows: [{ ...row, id: newId(), code: 'charge-build', amount: 1n }] }, 0n).length, 1)
})

test('an answer of which a part is missing, old or of another commit is seen', () => {
  const app = {
    name: 'built',
    commits: new Map([
      ['hash one', 1],
      ['hash two', 2],
    ]),
  }
  const [one, two] = [1, 2].map((number) => wholeText({ name: 'built', number })) as [string, string]
  const problem = (text: string, promised = 1) => judge({ status: 200, text }, { app, promised })
  assert.equal(problem(one), null)
  assert.equal(problem(two, 2), null)
  assert.match(problem(one, 2) ?? '', /commit 1 after commit 2 was said to run/)
  for (const half of ['', one.slice(0, -1), one.slice(0, 9_000) + two.slice(9_000), `${two}\n`])
    assert.match(problem(half) ?? '', /answered what none of its commits says/)
  assert.match(problem(wholeText({ name: 'built', number: 3 })) ?? '', /none of its commits/)
  assert.notDeepEqual(filesOf('site', { name: 'a', number: 1 }), filesOf('site', { name: 'b', number: 1 }))
})
