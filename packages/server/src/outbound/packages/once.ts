/** Work that is done once however many wait for it: by key, while it lasts. */
import { OverLimit } from './payer.ts'

export class Once<T> {
  readonly #running = new Map<string, Promise<T>>()

  /** Who joined work that ended because its payer could not pay does it again as its own. */
  async run(key: string, work: () => Promise<T>): Promise<T> {
    for (;;) {
      const found = this.#running.get(key)
      if (!found) break
      try {
        return await found
      } catch (error) {
        if (!(error instanceof OverLimit)) throw error
      }
    }
    const started = work().finally(() => this.#running.delete(key))
    this.#running.set(key, started)
    return await started
  }
}
