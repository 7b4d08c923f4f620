/**
 * Time as an argument: everything in a node asks this clock, so that tests own it.
 *
 * `now` is wall time (charges, receipts, pages); `monotonicMs` never goes back (time-outs, intervals).
 */
export interface Clock {
  now(): Date
  monotonicMs(): number
  /** Resolves after `ms`, or early and without an error when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done, { once: true })
    }),
}

/** A clock that moves only when told; sleepers wake in order of their deadlines. */
export class FakeClock implements Clock {
  #nowMs: number
  readonly #startMs: number
  #sleepers: { atMs: number; wake: () => void }[] = []

  constructor(start = new Date('2026-01-01T00:00:00Z')) {
    this.#nowMs = start.getTime()
    this.#startMs = this.#nowMs
  }

  now(): Date {
    return new Date(this.#nowMs)
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const sleeper = { atMs: this.#nowMs + ms, wake: resolve }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  /** Moves time on; everyone whose deadline has passed is woken and given a turn to run. */
  async advance(ms: number): Promise<void> {
    this.#nowMs += ms
    const due = this.#sleepers.filter((s) => s.atMs <= this.#nowMs).sort((a, b) => a.atMs - b.atMs)
    this.#sleepers = this.#sleepers.filter((s) => s.atMs > this.#nowMs)
    for (const sleeper of due) sleeper.wake()
    await new Promise((resolve) => setImmediate(resolve))
  }
}
