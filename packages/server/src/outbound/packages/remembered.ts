/** What was looked up lately; the longest unused goes first. */
export class Remembered<T> {
  readonly #most: number
  readonly #all = new Map<string, T>()

  constructor(most: number) {
    this.#most = most
  }

  get(key: string): T | undefined {
    const found = this.#all.get(key)
    if (found === undefined) return undefined
    this.#all.delete(key)
    this.#all.set(key, found)
    return found
  }

  set(key: string, value: T): T {
    this.#all.delete(key)
    this.#all.set(key, value)
    const [oldest] = this.#all.keys()
    if (this.#all.size > this.#most && oldest !== undefined) this.#all.delete(oldest)
    return value
  }

  delete(key: string): void {
    this.#all.delete(key)
  }
}
