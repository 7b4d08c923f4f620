/**
 * What was used between two readings of a cumulative meter.
 *
 * Counters only grow within one life (`boot`), so a lost reading loses nothing and a repeated one counts
 * nothing. Levels (memory, disk) become areas: the level of the last reading times the time until this one.
 */
import type { Reading } from '@perennial/sandbox/client'

/** The last reading that was counted. */
export interface Mark {
  boot: string
  atMs: number
  cpuNs: bigint
  egressBytes: bigint
  memoryBytes: bigint
  diskBytes: bigint
}

/** Nothing was read yet: a sandbox's counters start at zero, so its first reading counts whole. */
export const UNREAD: Mark = { boot: '', atMs: 0, cpuNs: 0n, egressBytes: 0n, memoryBytes: 0n, diskBytes: 0n }

/** In the units of METER_UNITS. */
export interface RunUsage {
  cpu: bigint
  memory: bigint
  disk: bigint
  egress: bigint
  requests: bigint
}

/** Across a longer gap nobody saw the level: the lower of its two ends is charged. */
const LONGEST_STEP_MS = 60_000

/** Adds what happened since the mark to `used`, and moves the mark on. */
export function advance(mark: Mark, reading: Reading, used: RunUsage): void {
  if (reading.boot !== mark.boot) {
    const [cpuNs, egressBytes] = [positive(reading.cpuNs), positive(reading.egressBytes)]
    used.cpu += cpuNs
    used.egress += egressBytes
    Object.assign(mark, levels(reading), { cpuNs, egressBytes })
    return
  }
  // A clock that was set back gives no time; a counter never gives less than nothing.
  const stepMs = Math.max(0, Math.floor(reading.atMs) - mark.atMs)
  const area = (before: bigint, now: bigint) =>
    BigInt(stepMs) * (stepMs > LONGEST_STEP_MS && now < before ? now : before)
  used.cpu += positive(reading.cpuNs - mark.cpuNs)
  used.egress += positive(reading.egressBytes - mark.egressBytes)
  used.memory += area(mark.memoryBytes, positive(reading.memoryBytes))
  used.disk += area(mark.diskBytes, positive(reading.diskBytes))
  const highest = { cpuNs: max(mark.cpuNs, reading.cpuNs), egressBytes: max(mark.egressBytes, reading.egressBytes) }
  Object.assign(mark, levels(reading), highest)
}

/** The gateway's counters of one app since its last start. `boot` as above; a gateway that keeps them over restarts needs none. */
export interface RequestCount {
  readonly app: string
  readonly boot?: string
  readonly requests: bigint
  readonly bytesOut: bigint
}

export interface RequestMark {
  boot: string
  requests: bigint
  bytesOut: bigint
}

export const UNCOUNTED: RequestMark = { boot: '', requests: 0n, bytesOut: 0n }

/** Answers were sent by the gateway, so their bytes are egress that the sandbox's own counter does not have. */
export function advanceRequests(mark: RequestMark, count: RequestCount, used: RunUsage | null): void {
  const boot = count.boot ?? ''
  const before = boot === mark.boot ? mark : UNCOUNTED
  if (used) {
    used.requests += positive(count.requests - before.requests)
    used.egress += positive(count.bytesOut - before.bytesOut)
  }
  const counted = { requests: max(before.requests, count.requests), bytesOut: max(before.bytesOut, count.bytesOut) }
  Object.assign(mark, counted, { boot })
}

function levels({ boot, atMs, memoryBytes, diskBytes }: Reading): Omit<Mark, 'cpuNs' | 'egressBytes'> {
  return { boot, atMs: Math.floor(atMs), memoryBytes: positive(memoryBytes), diskBytes: positive(diskBytes) }
}

function positive(value: bigint): bigint {
  return value > 0n ? value : 0n
}

function max(one: bigint, other: bigint): bigint {
  return one > other ? one : other
}
