import assert from 'node:assert/strict'
import test from 'node:test'
import { deriveId, rate, transferCode } from '@perennial/protocol'
import { accountOf } from './accounts.ts'
import { DAY, HOUR, PROVIDER, run, withBench, type Bench } from './testing.ts'

const SIZE_BYTES = 10_000_000_000

/** Apps that compute, with money and something on disk, in the order in which rent is collected. */
async function keeping(bench: Bench, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let place = 0; place < count; place++) {
    const { id } = await bench.app(5_000_000n)
    await bench.services.database.transaction((tx) => bench.apps.setState(tx, id, 'funded', 'Paid for.'))
    await bench.metering.keep({ app: id, sizeBytes: SIZE_BYTES })
    ids.push(id)
  }
  return ids.sort()
}

const paid = async (bench: Bench, app: string) => 5_000_000n - (await bench.balances(app)).purse

test('a rent that the ledger refuses holds up nobody else’s, and is posted again later', () =>
  withBench(async (bench) => {
    const [first, second] = await keeping(bench, 2)
    const { accounts, ledger } = bench
    // Something else stands under the id of the first app's charge.
    const id = deriveId('rent', deriveId('rent', first!, '1'), accountOf.purse(first!))
    const [debit, credit] = [await accounts.id(accountOf.rail('push-button')), await accounts.id('commons')]
    await ledger.post({ id, debit, credit, amount: 1n, code: transferCode('contribution-commons') })
    await run(bench, DAY, HOUR)
    assert.equal(await paid(bench, first!), 0n)
    const rent = await paid(bench, second!)
    assert.ok(rent > 0n)
    await run(bench, DAY, HOUR)
    assert.equal(await paid(bench, second!), 2n * rent)
    await bench.assertSound()
  }))

test('a rent that was posted and not marked is the same rent for a node with another key', async () => {
  let dead = false
  const crash = (point: string) => {
    if (point !== 'rent-posted' || dead) return
    dead = true
    throw new Error('killed')
  }
  await withBench(
    async (bench) => {
      const [app] = await keeping(bench, 1)
      await assert.rejects(run(bench, DAY, DAY), /killed/)
      await bench.restart({ provider: 'did:key:z6MkNext' })
      await bench.metering.sample()
      assert.equal((await bench.accounts.balance(accountOf.provider(PROVIDER))).balance, await paid(bench, app!))
      const open = await bench.services.database.query('select 1 from rent_charge where posted_at is null')
      assert.equal(open.length, 0)
      await bench.assertSound()
    },
    { crash },
  )
})

test('an app pays rent for all kinds of things that it keeps, each from when it was there', () =>
  withBench(async (bench) => {
    const [app] = await keeping(bench, 1)
    const { metering } = bench
    await metering.keep({ app: app!, what: 'volumes', sizeBytes: 1_000_000_000 })
    await run(bench, 12 * HOUR, HOUR)
    await Promise.all([
      metering.keep({ app: app!, what: 'backups', sizeBytes: 2_000_000_000 }),
      metering.keep({ app: app!, what: 'volumes', sizeBytes: 3_000_000_000 }),
    ])
    assert.equal((await metering.kept([app!])).get(app!), 15_000_000_000n)
    assert.equal((await metering.kept([app!], 'volumes')).get(app!), 3_000_000_000n)
    await run(bench, 12 * HOUR, HOUR)
    await metering.collectRent(app!)
    const usage = BigInt((11 + 15) * 1_000_000_000) * BigInt(12 * HOUR)
    assert.equal(await paid(bench, app!), rate({ usage, price: bench.priceBook.prices.disk, carried: 0n }).micros)
    await bench.assertSound()
  }))
