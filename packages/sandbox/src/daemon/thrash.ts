/**
 * Notices a sandbox that is full but not killed: when nearly all of its memory is its own, the kernel keeps
 * dropping and reading back the pages of its program, for minutes on end, before it calls that out of memory.
 * The sandbox answers nobody in that time and burns disk and CPU for it.
 */
import type { Counters } from './cgroup.ts'

/** Own memory beyond this part of the limit… */
const fullShare = 0.95
/** …and this many pages a second read back from disk… */
const faultsPerSecond = 50
/** …for this long. */
const patienceMs = 6000

export interface ThrashWatch {
  /** Whether it is time to end the sandbox. */
  isThrashing(now: Pick<Counters, 'memoryBytes' | 'majorFaults'>, atMs: number): boolean
}

export function watchThrashing({ limitBytes }: { limitBytes: number }): ThrashWatch {
  let last: { faults: bigint; atMs: number } | undefined
  let since: number | undefined
  return {
    isThrashing({ memoryBytes, majorFaults }, atMs) {
      const faults = last ? Number(majorFaults - last.faults) : 0
      const seconds = last ? (atMs - last.atMs) / 1000 : 0
      const isFull = Number(memoryBytes) > limitBytes * fullShare
      if (!isFull || faults < faultsPerSecond * seconds) since = undefined
      else since ??= last?.atMs ?? atMs
      last = { faults: majorFaults, atMs }
      return since !== undefined && atMs - since >= patienceMs
    },
  }
}
