/**
 * How long a visitor waits for an app that sleeps, against the cold start of the same app.
 *
 * Both through the gateway, from the request to the last byte: HAProxy, the activator, hosting with its rows in
 * PostgreSQL, and a real sandbox. Frozen: thawed in RAM. Cold: nothing of it runs.
 */
import { helloFiles, openHostingBench, type HostingBench } from '../../packages/server/src/hosting/testing.ts'
import type { App } from '../../packages/server/src/apps/index.ts'
import { figure, median, type Figure, type Pair } from '../figure.ts'

/** Each falls asleep after a second without visitors, and is looked at each second. */
const SLEEPS_PER_ROUND = 3

export async function* run({ rounds }: { rounds: number; seconds: number }): AsyncGenerator<Figure> {
  await using host = await openHostingBench({ PERENNIAL_IDLE_SECONDS: '1' })
  const app = await host.run('octo/hello', await helloFiles())
  const pairs: Pair[] = []
  const warm: Pair[] = []
  for (let round = 0; round < rounds; round++) {
    const frozen: number[] = []
    for (let sleep = 0; sleep < SLEEPS_PER_ROUND; sleep++) {
      await host.until(app, 'asleep')
      frozen.push(await timeOf(host, app))
    }
    const awake = await timeOf(host, app)
    await host.halt(app)
    const cold = await timeOf(host, app)
    pairs.push({ ours: median(frozen), theirs: cold })
    warm.push({ ours: median(frozen), theirs: awake })
  }
  const wake = { bench: 'wake', unit: 'ms', better: 'lower' } as const
  yield figure({ ...wake, case: 'frozen', peer: 'cold' }, pairs)
  yield figure({ ...wake, case: 'frozen', peer: 'awake' }, warm)
}

async function timeOf(host: HostingBench, app: App): Promise<number> {
  const startMs = performance.now()
  const { status, text } = await host.visit(app)
  if (status !== 200) throw new Error(`the app answered ${status}: ${text}`)
  return performance.now() - startMs
}
