/**
 * The named phases of a node's work, seen from outside: with its diagnostics at `debug` it prints a line when one
 * begins. Nothing in the product waits, so what follows the line is the real thing.
 *
 *     {"at":"…","level":"debug","message":"phase","phase":"charge","intervals":1}
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'

export const PHASES = ['fetch', 'build', 'start', 'charge', 'freeze', 'thaw', 'post'] as const
export type Phase = (typeof PHASES)[number]

export interface PhaseWatch extends Disposable {
  /** Resolves at the phase's next beginning: true; or after `timeoutMs`: false. */
  next(phase: Phase, timeoutMs: number): Promise<boolean>
  /** How often each began so far. */
  readonly seen: ReadonlyMap<Phase, number>
}

const CHUNK_BYTES = 64 * 1024
/** Where the file's changes come late, it is looked at anyway. */
const LOOK_MS = 5

export function watchPhases(log: string): PhaseWatch {
  const seen = new Map<Phase, number>(PHASES.map((phase) => [phase, 0]))
  const waiting = new Set<(phase: Phase) => void>()
  const buffer = Buffer.alloc(CHUNK_BYTES)
  let rest = ''
  let offset = 0

  const read = () => {
    if (!existsSync(log)) return
    const file = openSync(log, 'r')
    try {
      // The log began anew.
      if (fstatSync(file).size < offset) offset = 0
      for (;;) {
        const bytes = readSync(file, buffer, 0, buffer.length, offset)
        if (bytes === 0) return
        offset += bytes
        const lines = (rest + buffer.toString('latin1', 0, bytes)).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) notice(line)
      }
    } finally {
      closeSync(file)
    }
  }

  const notice = (line: string) => {
    const name = /"message":"phase","phase":"([a-z]+)"/.exec(line)?.[1]
    const phase = PHASES.find((one) => one === name)
    if (phase === undefined) return
    seen.set(phase, (seen.get(phase) ?? 0) + 1)
    for (const tell of waiting) tell(phase)
  }

  read()
  const changes = watch(dirname(log), (_, name) => (name === basename(log) ? read() : undefined))
  const looking = setInterval(read, LOOK_MS)
  return {
    seen,
    next: (wanted, timeoutMs) =>
      new Promise((resolve) => {
        const end = (hit: boolean) => {
          waiting.delete(tell)
          clearTimeout(timer)
          resolve(hit)
        }
        const tell = (phase: Phase) => phase === wanted && end(true)
        const timer = setTimeout(() => end(false), timeoutMs)
        waiting.add(tell)
      }),
    [Symbol.dispose]() {
      changes.close()
      clearInterval(looking)
    },
  }
}
