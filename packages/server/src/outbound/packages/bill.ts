/** What one request of a sandbox costs it: see payer.ts. */
import type { Traffic, TrafficTable } from '../traffic.ts'
import { OverLimit, type Payer } from './payer.ts'

export class Bill implements Payer {
  readonly #traffic: TrafficTable
  readonly #row: Traffic
  /** Fetched for it and counted, not sent yet. */
  #ahead = 0

  constructor(traffic: TrafficTable, row: Traffic) {
    this.#traffic = traffic
    this.#row = row
  }

  fetched(bytes: number): void {
    this.#ahead += bytes
    this.#count(bytes)
  }

  sent(bytes: number): void {
    const before = Math.min(bytes, this.#ahead)
    this.#ahead -= before
    this.#count(bytes - before)
  }

  #count(bytes: number): void {
    this.#row.bytes += BigInt(bytes)
    if (this.#traffic.has(this.#row)) return
    this.#row.refusal = this.#traffic.tooMuch()
    throw new OverLimit(this.#row.refusal.sentence)
  }
}
