import assert from 'node:assert/strict'
import test from 'node:test'
import { helloFiles, openHostingBench } from './testing.ts'

test('an app runs, falls asleep when nobody asks, and wakes for the next request', { timeout: 120_000 }, async () => {
  await using host = await openHostingBench({ PERENNIAL_IDLE_SECONDS: '1' })
  const t0 = performance.now()
  const app = await host.run('octo/hello', await helloFiles())
  console.log('run', performance.now() - t0)
  const first = await host.visit(app)
  assert.match(first.text, /^hello from \d+$/)
  await host.until(app, 'asleep')
  const t1 = performance.now()
  const again = await host.visit(app)
  console.log('wake', performance.now() - t1)
  assert.deepEqual([again.status, again.text], [200, first.text])
})
