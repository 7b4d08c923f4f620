/**
 * The supervisor of a sandbox (conmon) copies what it prints into its log, as root and at nobody's expense. Each has
 * a control group of its own with a small part of one core: who prints faster than that waits.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cgroups } from './cgroup.ts'
import type { Instance } from './instance.ts'
import { nameOf } from './processes.ts'
import { ToolFailed } from './run.ts'

/** Enough for some ten megabytes of lines a second. */
const cpuPercent = 5
/** It ends a moment after its sandbox. */
const endTimeoutMs = 2000

export const supervisorsGroup = (at: Instance) => `${at.cgroupParent}-supervisors`
const groupOf = (at: Instance, id: string) => `${supervisorsGroup(at)}/${id}`

/** `pid`: the first process of the sandbox, whose parent the supervisor is. */
export function confineSupervisor(at: Instance, { id, pid }: { id: string; pid: number }, cgroups: Cgroups): void {
  const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  // The first process of the machine takes over whose parent has ended: that one must not be slowed down.
  if (nameOf(parent) !== 'conmon') throw new ToolFailed(`the supervisor of sandbox ${id} ended while it was made`)
  cgroups.confine(groupOf(at, id), { pid: parent, cpuPercent })
}

/** What is left when a supervisor does not end in time is cleared when the daemon starts again. */
export async function removeSupervisorGroup(at: Instance, id: string, cgroups: Cgroups): Promise<void> {
  for (const deadline = Date.now() + endTimeoutMs; ; await sleep(5)) {
    try {
      return cgroups.remove(groupOf(at, id))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
      if (Date.now() > deadline) return console.error(`the supervisor of sandbox ${id} has not ended yet`)
    }
  }
}
