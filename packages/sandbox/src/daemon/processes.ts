/** Processes of the host, by number; and by birth, as numbers are given again. */
import { readFileSync, readdirSync, statSync } from 'node:fs'

/** In ticks since the machine started; undefined when there is no such process. */
export function birthOf(pid: number): string | undefined {
  const stat = textOf(`/proc/${pid}/stat`)
  // The second field is the program's name in parentheses, and may hold anything; birth is the 22nd.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

export function nameOf(pid: number): string | undefined {
  return textOf(`/proc/${pid}/comm`)?.trim()
}

/** Every process of root with its words. */
export function processesOfRoot(): { pid: number; argv: string[] }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || statSync(`/proc/${name}`, { throwIfNoEntry: false })?.uid !== 0) return []
    const argv = textOf(`/proc/${name}/cmdline`)?.split('\0').slice(0, -1)
    return argv ? [{ pid: Number(name), argv }] : []
  })
}

export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
