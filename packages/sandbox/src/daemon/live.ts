/** One sandbox as the daemon holds it in memory. */
import type { Exit, Sandbox } from '../verbs.ts'
import { cgroupOf } from './bundle.ts'
import type { Cgroups } from './cgroup.ts'
import { exitCode } from './conmon.ts'
import { addressOf } from './instance.ts'
import type { Instance } from './instance.ts'
import { birthOf } from './processes.ts'
import type { Meter } from './readings.ts'
import type { SandboxRecord } from './records.ts'

export interface Live {
  readonly record: SandboxRecord
  /** Open from its start to its exit. */
  meter?: Meter
  /** We ended it because it was thrashing; the kernel does not count that. */
  thrashed?: true
  /** We ended it because it held too much that the kernel counts to nobody: what, in words. */
  hoard?: string
  /** What it holds on the machine could not be given back yet; `remove` tries again. */
  held?: true
  readonly waiting: Set<(exit: Exit) => void>
}

export function hasEnded(at: Instance, { record }: Live): boolean {
  if (exitCode(at, record.spec.id) !== undefined) return true
  const born = birthOf(record.pid)
  return born === undefined || born !== (record.born ?? born)
}

export function view(at: Instance, { record }: Live, cgroups: Cgroups): Sandbox {
  const { exit } = record
  return {
    id: record.spec.id,
    state: stateOf(record, cgroups, at),
    address: addressOf(at, record.index),
    pid: record.pid,
    ...(exit && { exit }),
    startedAt: record.startedAt,
  }
}

function stateOf({ state, spec }: SandboxRecord, cgroups: Cgroups, at: Instance): Sandbox['state'] {
  if (state === 'creating') return 'created'
  if (state === 'exited') return 'exited'
  return cgroups.frozen(cgroupOf(at, spec.id)) ? 'frozen' : 'running'
}
