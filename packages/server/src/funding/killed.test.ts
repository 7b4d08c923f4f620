import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { openLedger } from '@perennial/ledger'
import { newId } from '@perennial/protocol'
import { serverDatabase } from '../testing.ts'

const CHILD = fileURLToPath(new URL('testing/killed-node.ts', import.meta.url))
const SCALE = Number(process.env['TEST_SCALE'] ?? 1)
const POINTS = ['contribution-stored', 'contribution-posted', 'contribution-marked', 'followed']

test('a payment that a kill cut off is made once; one that was acknowledged is never lost', async (t) => {
  await using served = await serverDatabase()
  const { database, url } = served
  const apps = [newId(), newId()]
  for (const [place, id] of apps.entries()) {
    await database.query(
      `insert into app (id, slug, url, forge, owner, name, created_at, state, state_since)
       values ($1, $2, $2, 'forge.example', 'octo', $2, now(), 'frozen', now())`,
      [id, `app-${place}`],
    )
  }
  const payments: { id: string; app: string; amount: string }[] = []
  const acknowledged = new Map<string, bigint>()
  const deaths = new Map<string, number>()
  const live = async (point: string, passing: number): Promise<void> => {
    const open = payments.filter(({ id }) => !acknowledged.has(id))
    const orders = JSON.stringify({ url, point, passing, payments: open })
    const child = spawn(process.execPath, [CHILD, orders], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (text: Buffer) => (said += text.toString()))
    const signal = await new Promise((resolve) => child.once('close', (_code, by) => resolve(by)))
    for (const line of said.split('\n')) {
      const [word, what = '', amount = '0'] = line.split(' ')
      if (word === 'paid') acknowledged.set(what, BigInt(amount))
      if (word === 'died') deaths.set(what, (deaths.get(what) ?? 0) + 1)
    }
    assert.equal(signal, point === 'none' ? null : 'SIGKILL')
  }
  for (let kill = 0; kill < POINTS.length * 2 * SCALE; kill++) {
    for (let made = 0; made < 4; made++) {
      payments.push({ id: newId(), app: apps[made % 2]!, amount: String(100_000 + 7_919 * payments.length) })
    }
    await live(POINTS[kill % POINTS.length]!, 1 + (kill % 3))
  }
  await live('none', 1)
  t.diagnostic(`kills: ${[...deaths].map(([point, times]) => `${point} ${times}`).join(', ')}`)
  assert.equal(deaths.size, POINTS.length)
  assert.equal(acknowledged.size, payments.length)

  await using ledger = await openLedger({ url })
  const balance = async (name: string) => (await ledger.account(name))?.balance ?? 0n
  const sum = payments.reduce((total, { amount }) => total + BigInt(amount), 0n)
  assert.equal(await balance('rail/push-button'), -sum)
  const rows = (await ledger.after(0n, 10_000)).filter(({ credit }) => credit.name.endsWith('/purse'))
  assert.equal(rows.length, payments.length, 'one row in a purse for each payment')
  assert.deepEqual(await ledger.verify(), [])
  const events = await database.query<{ id: string }>(
    `select data ->> 'contribution' as id from event where type = 'contributed'`,
  )
  assert.equal(new Set(events.map(({ id }) => id)).size, payments.length)
  assert.equal(events.length, payments.length, 'each is told once')
  // What the follower learned of the rows agrees with them, though it was killed in the middle of learning.
  const days = await database.query<{ app: string; income: bigint; balance: bigint }>(
    `select app, sum(income)::bigint as income, (array_agg(balance order by day desc))[1] as balance from purse_day group by app`,
  )
  for (const { app, income, balance: last } of days) {
    const parts = payments
      .filter((one) => one.app === app)
      .map(({ amount }) => BigInt(amount) - (BigInt(amount) * 5n) / 100n)
    assert.equal(
      income,
      parts.reduce((total, part) => total + part, 0n),
    )
    assert.equal(last, await balance(`app/${app}/purse`))
  }
  assert.equal(days.length, apps.length)
})
