/**
 * What one app may use at most: its public maximum burn follows from these and the price book.
 *
 * cpu, memory and disk are held by the kernel. Egress and requests are held by money: what an app uses beyond
 * them in an hour is recorded and not charged, so that a flood costs its payers a known sum and no more.
 */
import type { Limits } from '@perennial/protocol'
import type { Config } from '../config.ts'

const CPU_PERCENT = 100
const DISK_BYTES = 1_000_000_000
const EGRESS_BYTES_PER_HOUR = 250_000_000
const REQUESTS_PER_HOUR = 100_000

export function appLimits(config: Pick<Config, 'app'>): Limits {
  return {
    cpuPercent: CPU_PERCENT,
    memoryBytes: config.app.memoryBytes,
    diskBytes: DISK_BYTES,
    egressBytesPerHour: EGRESS_BYTES_PER_HOUR,
    requestsPerHour: REQUESTS_PER_HOUR,
  }
}
