/**
 * How much one app may print: 64 KiB a second, saved up to four seconds' worth.
 *
 * What is over it is dropped and counted, never queued: a log that grows without bound is a disk filler. The
 * count comes out as a line of its own, so that the log says what it lacks.
 */
export const BYTES_PER_SECOND = 65_536
const BURST_BYTES = 4 * BYTES_PER_SECOND

export class LogBudget {
  #bytes = BURST_BYTES
  #atMs: number
  #dropped = 0

  constructor(nowMs: number) {
    this.#atMs = nowMs
  }

  /** Whether a line of this size may be stored now. */
  take(sizeBytes: number, nowMs: number): boolean {
    const earned = (Math.max(0, nowMs - this.#atMs) / 1000) * BYTES_PER_SECOND
    this.#bytes = Math.min(BURST_BYTES, this.#bytes + earned)
    this.#atMs = Math.max(nowMs, this.#atMs)
    if (this.#bytes >= sizeBytes) {
      this.#bytes -= sizeBytes
      return true
    }
    this.drop()
    return false
  }

  /** Counts a line that was dropped for another reason. */
  drop(): void {
    this.#dropped++
  }

  /** How many lines were dropped since it was asked last. */
  reportDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }
}
