/**
 * One life of a process. A number alone does not name it: numbers are given again, and from the start when the machine
 * restarts. The moment of its birth in this run of the machine does.
 *
 * As a file: the number, then its birth in ticks since the machine started and the run of the machine.
 *
 *     812
 *     443251 1f0b2c5e-4f0a-4f57-9c56-0a1c9d9a5d0e
 */
import { readFileSync } from 'node:fs'

export interface Life {
  readonly pid: number
  readonly born: string
}

/** Of a process that is there. */
export function lifeOf(pid: number): Life | undefined {
  const stat = textOf(`/proc/${pid}/stat`)
  // The second field is the program's name in parentheses, and may hold anything; birth is the 22nd.
  const ticks = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return ticks === undefined ? undefined : { pid, born: `${ticks} ${machineRun()}` }
}

/** Whether that very process is still there and has this word in its command line; one that only waits to be reaped has none. */
export function isAlive(life: Life, mark: string): boolean {
  return lifeOf(life.pid)?.born === life.born && (textOf(`/proc/${life.pid}/cmdline`)?.includes(mark) ?? false)
}

export function formatLife({ pid, born }: Life): string {
  return `${pid}\n${born}\n`
}

/** Undefined for a file that a kill cut short: it names nobody. */
export function parseLife(text: string): Life | undefined {
  const [, pid, born] = /^(\d{1,10})\n(\d+ [0-9a-f-]{36})\n$/.exec(text) ?? []
  return pid === undefined || born === undefined ? undefined : { pid: Number(pid), born }
}

function machineRun(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It ended, perhaps while we looked.
    return undefined
  }
}
