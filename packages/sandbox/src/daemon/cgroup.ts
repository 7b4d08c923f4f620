/**
 * Control groups, v1 and v2 alike: counters through file descriptors held open (one `pread` each, about a
 * tenth of opening them every time), the freezer, the CPU limit. crun makes the groups; they live until crun
 * deletes the container, so counters can still be read after the last process ended.
 */
import { readFileSync } from 'node:fs'
import { v1 } from './cgroup-v1.ts'
import { v2 } from './cgroup-v2.ts'

export interface Counters {
  readonly cpuNs: bigint
  readonly memoryBytes: bigint
  readonly oomKills: number
  /** Pages that had to be read from disk while the program waited. */
  readonly majorFaults: bigint
}

/** One sandbox's group, with the files of its counters open. */
export interface Group {
  read(): Counters
  /** Whether it ever came up against its own memory limit; one that did not was ended for the sake of all. */
  wasFull(): boolean
  close(): void
}

export interface Cgroups {
  readonly version: 'v1' | 'v2'
  readonly swapLimits: boolean
  open(path: string): Group
  frozen(path: string): boolean
  freeze(path: string, frozen: boolean): Promise<void>
  limitCpu(path: string, cpuPercent: number): void
  /** Makes a group that limits the CPU of one process of ours, and moves it there. */
  confine(path: string, what: { pid: number; cpuPercent: number }): void
  /** Makes a group that limits the memory of one process of ours, and moves it there. */
  hold(path: string, what: { pid: number; memoryBytes: number }): void
  /** Limits everything below `parent` together; a limit that somebody made smaller stays. */
  limitAll(parent: string, limits: { memoryBytes: number; pids: number }): void
  /** Groups below `parent`, in any hierarchy. */
  children(parent: string): Promise<string[]>
  /** Ends what still lives in a group, as of a container that was never finished, and removes it. */
  end(path: string): Promise<void>
  /** Removes an empty group; one that is gone already is fine. */
  remove(path: string): void
  /** Makes the parent group, so that limits can be set below it. */
  prepare(parent: string): Promise<void>
}

/** Mount points of the hierarchies: controller → folder; v2 is `unified`. */
export function hierarchies(): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [mount, filesystem] = line.split(' - ')
    const at = mount?.split(' ')[4]
    if (!at || !filesystem) continue
    const [type, , options = ''] = filesystem.split(' ')
    if (type === 'cgroup2') found.set('unified', at)
    if (type === 'cgroup') for (const word of options.split(',')) found.set(word, at)
  }
  return found
}

export function openCgroups(): Cgroups {
  const mounts = hierarchies()
  const unified = mounts.get('unified')
  if (mounts.has('memory')) return v1(mounts)
  if (unified) return v2(unified)
  throw new Error('no control groups are mounted below /sys/fs/cgroup; the sandbox cannot limit memory without them')
}
