/**
 * Whether an app answers. Any HTTP answer counts, since what its pages say is its own business; if it names a page for
 * this question, that page must say yes.
 */
import { request } from 'node:http'
import type { Clock } from '../clock.ts'

const TRY_MS = 2_000
const BETWEEN_MS = 50

export interface HealthCheck {
  readonly address: string
  readonly port: number
  /** With its query. */
  readonly path: string
  readonly timeoutMs: number
  /** Why there is no point in asking on, if there is none. */
  readonly ended: () => Promise<string | null>
  /** Gives up at once, with an Error. */
  readonly signal: AbortSignal
}

/** Null once it answers; else what happened, in words. */
export async function untilHealthy(clock: Clock, check: HealthCheck): Promise<string | null> {
  const startedMs = clock.monotonicMs()
  let tries = 0
  for (;;) {
    if (await answers(check)) return null
    check.signal.throwIfAborted()
    // The first tries are quick; each question to the sandbox costs a round trip.
    if (tries++ % 10 === 0) {
      const ended = await check.ended()
      if (ended !== null) return ended
    }
    if (clock.monotonicMs() - startedMs > check.timeoutMs)
      return `did not answer on port ${check.port} within ${check.timeoutMs / 1000} s`
    await clock.sleep(BETWEEN_MS, check.signal)
  }
}

function answers({ address, port, path, signal }: HealthCheck): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { 'user-agent': 'perennial' }
    const asked = request({ host: address, port, path, timeout: TRY_MS, headers, signal })
    asked.on('response', (response) => {
      response.destroy()
      resolve(path === '/' || (response.statusCode ?? 500) < 400)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer')))
    asked.on('error', () => resolve(false))
    asked.end()
  })
}
