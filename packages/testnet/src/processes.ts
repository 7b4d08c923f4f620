/** The processes of one node, found as an operator would find them: by parent and command line under /proc. */
import { readdirSync, readFileSync } from 'node:fs'

export interface Process {
  readonly pid: number
  readonly parent: number
  /** Words of the command line, joined by spaces; empty for a kernel thread or a zombie. */
  readonly command: string
}

export function allProcesses(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        // The second field is the program's name in parentheses, and may hold anything.
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').join(' ').trim()
        return [{ pid: Number(name), parent, command }]
      } catch (error) {
        if (isGone(error)) return []
        throw error
      }
    })
}

/** `pid` and all below it. */
export function familyOf(pid: number, processes = allProcesses()): Process[] {
  const family = processes.filter((process) => process.pid === pid)
  for (const member of family) family.push(...processes.filter((process) => process.parent === member.pid))
  return family
}

/** Killed as the kernel does it: no clean-up, no last word. */
export function kill9(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOENT', 'ESRCH'].includes(String(error.code))
}
