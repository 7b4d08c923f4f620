/** Says in words how a sandbox ended. */
import { constants } from 'node:os'
import type { Exit } from '../verbs.ts'

const signalBase = 128

export interface End {
  readonly code: number
  readonly oomKills: number
  readonly memoryBytes: number
  /** Whether it came up against its own memory limit. */
  readonly wasFull: boolean
  /** What it held too much of, when we ended it for that. */
  readonly hoard?: string | undefined
}

export function exitOf(end: End): Exit {
  const { code } = end
  const signal = signalName(code - signalBase)
  if (signal === 'SIGKILL' && end.hoard !== undefined)
    return { code, signal, reason: 'memory', sentence: `was ended because ${end.hoard}` }
  if (signal === 'SIGKILL' && end.oomKills > 0) {
    const mebibytes = Math.floor(end.memoryBytes / 2 ** 20)
    const why = end.wasFull
      ? `it used more than its ${mebibytes} MiB of memory`
      : 'all sandboxes together used more memory than this machine has for them'
    return { code, signal, reason: 'memory', sentence: `was ended because ${why}` }
  }
  if (signal === 'SIGABRT' || signal === 'SIGTRAP')
    return {
      code,
      signal,
      reason: 'killed',
      sentence: `aborted itself (${signal}), as Node does when its heap is full`,
    }
  if (signal) return { code, signal, reason: 'killed', sentence: `was ended by ${signal}` }
  return { code, reason: 'exited', sentence: `exited with code ${code}` }
}

/** Its supervisor or the whole machine went away, so no code was kept. */
export function lostExit(sentence: string): Exit {
  return { code: signalBase + constants.signals.SIGKILL, signal: 'SIGKILL', reason: 'killed', sentence }
}

function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
}
