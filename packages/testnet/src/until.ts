/** Waits for something to become true outside this process; there is no event to wait for instead. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Asks again every 100 ms; a false, null or undefined answer, or a throw, is "not yet". */
export async function until<T>(
  what: string,
  ask: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  timeoutMs = 30_000,
): Promise<T> {
  const endMs = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== false && answer !== null && answer !== undefined) return answer
      last = answer
    } catch (error) {
      last = error
    }
    if (Date.now() > endMs) throw new Error(`${what}: not within ${timeoutMs / 1000} s`, { cause: last })
    await sleep(100)
  }
}
