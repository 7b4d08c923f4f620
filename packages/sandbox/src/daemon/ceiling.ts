/**
 * What all sandboxes of a daemon may take of the machine together, however many somebody asks for: a node that was
 * taken over must not be able to exhaust the machine that its operator has to reach.
 *
 * What was promised to each may add up to more, and no start is refused for that: a limit is the most that a sandbox
 * may take, few take it at the same time, and a machine that set each limit aside would stand mostly empty. When they
 * do take it all at once, the kernel ends the largest of them and nothing else.
 */
import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'

export interface Machine {
  readonly memoryBytes: number
  /** Processes and threads that its kernel can have at once. */
  readonly tasks: number
}

export interface Ceiling {
  readonly memoryBytes: number
  /** Processes and threads. */
  readonly pids: number
  /** How many sandboxes and scratch disks: each costs the host something that counts as nobody's. */
  readonly places: number
}

const mebibyte = 2 ** 20
/** The machine keeps the larger of these two for itself, but on a small one no more than half. */
const keptShare = 0.15
const keptBytes = 1024 * mebibyte
/** Supervisor, network namespace, mounts and bundle of one sandbox; together they get half of what is kept. */
const placeBytes = mebibyte
/** Their supervisors, which are not counted with them, are processes too. */
const pidsPerPlace = 4

export function machine(): Machine {
  const limits = ['pid_max', 'threads-max'].map((name) => Number(readFileSync(`/proc/sys/kernel/${name}`, 'utf8')))
  return { memoryBytes: totalmem(), tasks: Math.min(...limits) }
}

export function ceilingOf({ memoryBytes, tasks }: Machine): Ceiling {
  const kept = Math.min(Math.max(memoryBytes * keptShare, keptBytes), memoryBytes / 2)
  const pids = Math.floor(tasks / 2)
  return {
    memoryBytes: Math.floor((memoryBytes - kept) / mebibyte) * mebibyte,
    pids,
    places: Math.floor(Math.min(kept / 2 / placeBytes, pids / pidsPerPlace)),
  }
}
