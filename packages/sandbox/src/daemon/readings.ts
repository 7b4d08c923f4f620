/**
 * The counters of each sandbox. They only grow within one `boot`: a network counter that began again because
 * somebody emptied the firewall continues from its last value.
 */
import { statfsSync } from 'node:fs'
import type { WireReading } from '../verbs.ts'
import { diskFolder } from './assemble.ts'
import { cgroupOf } from './bundle.ts'
import type { Cgroups, Counters, Group } from './cgroup.ts'
import { addressOf } from './instance.ts'
import type { Instance } from './instance.ts'
import { egressByAddress } from './firewall.ts'
import type { SandboxRecord } from './records.ts'
import { watchThrashing } from './thrash.ts'

/** An open meter; readings are taken while the control group and the disk are still there. */
export interface Meter {
  /** The latest known one when the counters are gone; undefined when there never was one. */
  read(egress: Map<string, bigint>): WireReading | undefined
  /** Whether the sandbox should be ended for want of memory, though the kernel has not done it. */
  isThrashing(): boolean
  /** Whether it came up against its own memory limit. */
  wasFull(): boolean
  close(): void
}

export function openMeter(at: Instance, record: SandboxRecord, cgroups: Cgroups): Meter {
  const { id } = record.spec
  const address = addressOf(at, record.index)
  const group: Group = cgroups.open(cgroupOf(at, id))
  const watch = watchThrashing({ limitBytes: record.spec.limits.memoryBytes })
  let lastRaw = 0n
  let before = 0n
  let latest: WireReading | undefined
  return {
    read(egress) {
      const raw = egress.get(address) ?? 0n
      if (raw < lastRaw) before += lastRaw
      lastRaw = raw
      const counters = readOrLose(group, id)
      if (!counters) return latest
      const { cpuNs, memoryBytes, oomKills } = counters
      const disk = statfsSync(diskFolder(at, id), { bigint: true })
      latest = {
        id,
        boot: record.boot,
        atMs: Date.now(),
        cpuNs: String(cpuNs),
        memoryBytes: String(memoryBytes),
        egressBytes: String(before + raw),
        diskBytes: String((disk.blocks - disk.bfree) * disk.bsize),
        oomKills,
      }
      return latest
    },
    isThrashing() {
      const counters = readOrLose(group, id)
      return counters !== undefined && watch.isThrashing(counters, Date.now())
    },
    wasFull: () => group.wasFull(),
    close: () => group.close(),
  }
}

/** One control group that somebody removed must not hide the readings of all others. */
function readOrLose(group: Group, id: string): Counters | undefined {
  try {
    return group.read()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENODEV') throw error
    console.error(`the control group of ${id} was removed from outside; its counters are lost`)
    return undefined
  }
}

/** The network counters that these sandboxes need: none unless one of them may use the internet. */
export async function egressFor(at: Instance, records: Iterable<SandboxRecord>): Promise<Map<string, bigint>> {
  for (const { spec } of records) if (spec.network === 'internet') return egressByAddress(at)
  return new Map()
}
