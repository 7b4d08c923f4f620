import assert from 'node:assert/strict'
import test from 'node:test'
import { openHostingBench } from './testing.ts'

test('a node closes at once while an app does not answer yet, and the next one goes on with its deployment', async () => {
  await using host = await openHostingBench()
  const app = await host.bench.app('octo/mute', {
    'package.json': '{"scripts":{"start":"node server.js"}}',
    'server.js': 'setInterval(() => {}, 1000); process.on("SIGTERM", () => {})',
  })
  await host.setState(app, 'funded')
  const deployment = await host.bench.request(app)
  await host.until(app, 'starting')
  const { jobs, database } = host.builder.services
  const beganMs = performance.now()
  host.hosting.stopStarting()
  await jobs.close()
  const tookMs = performance.now() - beganMs
  // Half a second on a quiet machine; a minute if the app were waited for.
  assert.ok(tookMs < 15_000, `it took ${tookMs} ms`)
  const live = await database.query(`select from instance where app = $1 and state <> 'gone'`, [app.id])
  assert.equal(live.length, 0, 'what had not answered was ended')
  await host.restart()
  await host.until(app, 'starting')
  assert.equal((await host.builder.builds.deployment(deployment))?.status, 'starting')
})
