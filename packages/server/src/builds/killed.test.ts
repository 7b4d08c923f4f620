import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { App } from '../apps/index.ts'
import { accountOf } from '../metering/index.ts'
import { live } from './testing/life.ts'
import { BUILDER, MONEY, openBuildBench, openBuilder, type Builder } from './testing.ts'

const scale = Number(process.env['TEST_SCALE'] ?? 1)
const POINTS = ['hold-opened', 'held', 'outcome-stored', 'settled', 'recorded', 'announced']
const files = {
  'package.json':
    '{"scripts":{"build":"mkdir dist && echo 1 > dist/index.html && node -e \\"const end = Date.now() + 400; while (Date.now() < end);\\""}}',
}

test('a node that is killed at any moment of a build goes on with it: one release, one charge, nothing left', async () => {
  await using bench = await openBuildBench()
  const { place } = bench
  const kills = [
    ...POINTS.map((point) => ({ point, afterMs: 0 })),
    ...Array.from({ length: 3 * scale }, () => ({ point: 'none', afterMs: Math.random() * 2500 })),
  ]
  const apps: App[] = []
  for (const [at] of kills.entries()) apps.push(await bench.app(`octo/killed${at}`, files))
  const deployments: string[] = []
  // From here on the children are the node: this process only asks, and keeps what the kernel counted.
  for (const app of apps)
    deployments.push(
      await bench.services.database.transaction(
        async (tx) => (await bench.builds.request(tx, { app: app.id, ref: null, by: null })).id,
      ),
    )
  await bench.close()

  for (const { point, afterMs } of kills) await live({ place, point }, afterMs)
  const node = await openBuilder(place)
  try {
    for (const [at, id] of deployments.entries()) {
      const kill = `${kills[at]?.point} ${Math.round(kills[at]?.afterMs ?? 0)} ms`
      const done = await ended(node, id)
      assert.equal(done?.status, 'starting', `${kill}: ${done?.problem}`)
      const app: string = apps[at]?.id ?? ''
      const purse = await node.accounts.balance(accountOf.purse(app))
      const clearing = await node.accounts.balance(accountOf.clearing(app))
      assert.deepEqual([purse.balance, purse.held, clearing.balance], [MONEY - (done?.cost ?? 0n), 0n, 0n], kill)
      assert.equal((await node.builds.releases(app)).length, 1, kill)
      const { database } = node.services
      const events = await database.query(`select from event where app = $1 and type = 'release-built'`, [app])
      assert.equal(events.length, 1, kill)
      const [counted] = await database.query<{ cpu: bigint }>(
        'select sum(cpu_ns)::bigint as cpu from build_sandbox where deployment = $1',
        [id],
      )
      const [charged] = await database.query<{ cpu: bigint }>(
        `select sum(l.used)::bigint as cpu from usage_line l join usage_interval i on i.id = l.usage where i.app = $1 and l.meter = 'build'`,
        [app],
      )
      assert.ok((charged?.cpu ?? 0n) <= (counted?.cpu ?? 0n), `${kill}: never more than the kernel counted`)
    }
    assert.deepEqual(await node.client.list(), [])
    assert.deepEqual(readdirSync(join(bench.sandbox.options.root, 'scratch')), [])
    assert.deepEqual(await node.ledger.verify(), [])
    const { balance } = await node.accounts.balance(accountOf.provider(BUILDER))
    const costs = await Promise.all(deployments.map((id) => node.builds.deployment(id)))
    assert.equal(
      balance,
      costs.reduce((sum, done) => sum + (done?.cost ?? 0n), 0n),
    )
  } finally {
    await node.close()
  }
})

async function ended(node: Builder, id: string) {
  for (;;) {
    const now = await node.builds.deployment(id)
    if (now && !['waiting', 'fetching', 'building'].includes(now.status)) return now
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
