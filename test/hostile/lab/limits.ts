/**
 * The outer control group of a cage: whatever an attack or its control does, and even if a defence under test is
 * gone, all of it together gets no more than this.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hierarchies, openCgroups } from '../../../packages/sandbox/src/daemon/cgroup.ts'

export interface Limits {
  readonly memoryBytes: number
  readonly pids: number
  /** Of one core. */
  readonly cpuPercent: number
}

/** A quarter of a core is left to whoever watches. */
const largest: Limits = { memoryBytes: 2 ** 30, pids: 2000, cpuPercent: 100 * availableParallelism() - 25 }
const periodMicros = 100_000
/** Times what other work on the machine gets: within its limits, a cage is measured as if it were alone here. */
const weight = 64
/** Where processes of a cage live that are in no sandbox; no name that a sandbox can have, as sandboxd would clear it. */
const outside = '_outside'

export interface OuterGroup {
  /** Words in front of a command that bring it under the limits. */
  readonly enter: readonly string[]
  /** How many processes and threads the group `id` has now, or all of the cage without an id. */
  pids(id?: string): number
  /** Ends what lives in the cage outside sandboxes. */
  endOutside(): Promise<void>
  /** Removes the group; everything in it must have ended. */
  close(): void
}

/** `parent` is the group below which a daemon puts its sandboxes. It inherits nothing of this: the daemon just finds it. */
export async function openOuterGroup(parent: string): Promise<OuterGroup> {
  const mounts = hierarchies()
  const isV1 = mounts.has('memory')
  if (!isV1) await openCgroups().prepare(parent)
  const folder = (controller: string) => join((isV1 ? mounts.get(controller) : mounts.get('unified')) ?? '', parent)
  const folders = [...new Set(['memory', 'pids', 'cpu', 'freezer'].map(folder))]
  for (const path of folders) mkdirSync(path, { recursive: true })
  const set = (controller: string, file: string, text: string) => writeFileSync(join(folder(controller), file), text)
  set('memory', isV1 ? 'memory.limit_in_bytes' : 'memory.max', String(largest.memoryBytes))
  set('pids', 'pids.max', String(largest.pids))
  const quota = String((largest.cpuPercent / 100) * periodMicros)
  if (isV1) set('cpu', 'cpu.cfs_quota_us', quota)
  else set('cpu', 'cpu.max', `${quota} ${periodMicros}`)
  if (isV1) set('cpu', 'cpu.shares', String(1024 * weight))
  else set('cpu', 'cpu.weight', String(100 * weight))
  const groups = folders.map((path) => join(path, outside))
  // Made by who comes: a daemon that starts takes away what is no sandbox.
  const enter = `set -e; for group in ${groups.join(' ')}; do mkdir -p $group; echo $$ > $group/cgroup.procs; done; exec "$@"`
  return {
    enter: ['/bin/sh', '-c', enter, 'sh'],
    pids(id = '') {
      try {
        return Number(readFileSync(join(folder('pids'), id, 'pids.current'), 'utf8'))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
        throw error
      }
    },
    async endOutside() {
      for (const group of groups) {
        await empty(join(group, 'cgroup.procs'))
        removeTree(group)
      }
    },
    close: () => folders.forEach(removeTree),
  }
}

/** Kills until nobody is left: a fork bomb outruns one look. */
async function empty(procs: string): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const pids = existsSync(procs) ? readFileSync(procs, 'utf8').split('\n').filter(Boolean).map(Number) : []
    if (pids.length === 0) return
    if (Date.now() > deadline) throw new Error(`${pids.length} processes in ${procs} do not end`)
    for (const pid of pids) kill(pid)
    await sleep(20)
  }
}

export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function removeTree(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isDirectory()) removeTree(join(path, entry.name))
    rmdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
