/**
 * Notices who hoards memory of the kernel that no control group counts, by means that ordinary programs need a little
 * of: netlink sockets, which list network interfaces, and of which each unread list holds up to 44 KiB while the
 * socket itself is counted with one; and locks on parts of files, 200 bytes each, as many as somebody has time to set.
 * Within a minute they would take the whole machine. What is allowed here is a few dozen megabytes.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import type { Instance } from './instance.ts'

const mostNetlinkSockets = 500
const mostLocks = 2000
/** Longer lists are read no further: by then it is clear who fills them. */
const listBytes = 256 * 1024

export interface Suspect {
  readonly id: string
  /** One of its processes. */
  readonly pid: number
}

/** By id of a sandbox: what it holds too much of, in words. */
export function hoards(at: Pick<Instance, 'cgroupParent'>, suspects: readonly Suspect[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const { id, pid } of suspects) {
    const sockets = lines(`/proc/${pid}/net/netlink`).length - 1
    if (sockets > mostNetlinkSockets) found.set(id, `it held more than ${mostNetlinkSockets} netlink sockets`)
  }
  for (const [id, held] of locksBySandbox(at))
    if (held > mostLocks) found.set(id, `it held more than ${mostLocks} locks on files`)
  return found
}

/** `7: POSIX  ADVISORY  WRITE 1234 fe:00:1588 0 EOF`, with `->` before POSIX when it waits for another. */
function locksBySandbox({ cgroupParent }: Pick<Instance, 'cgroupParent'>): Map<string, number> {
  const byPid = new Map<string, number>()
  for (const line of lines('/proc/locks')) {
    const pid = /^\d+: (?:-> )?POSIX +\S+ +\S+ (\d+) /.exec(line)?.[1]
    if (pid !== undefined) byPid.set(pid, (byPid.get(pid) ?? 0) + 1)
  }
  const byId = new Map<string, number>()
  for (const [pid, held] of byPid) {
    const group = lines(`/proc/${pid}/cgroup`).find((line) => line.includes(`:${cgroupParent}/`))
    const id = group?.split(`:${cgroupParent}/`)[1]
    if (id !== undefined) byId.set(id, (byId.get(id) ?? 0) + held)
  }
  return byId
}

/** Nothing for what is gone; the rest of a list that is too long is left. */
function lines(path: string): string[] {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const buffer = Buffer.alloc(listBytes)
  let bytes = 0
  try {
    for (let more = 1; more > 0 && bytes < listBytes; bytes += more)
      more = readSync(file, buffer, bytes, listBytes - bytes, null)
  } catch (error) {
    // The process ended while it was looked at.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH' && (error as NodeJS.ErrnoException).code !== 'EINVAL')
      throw error
  } finally {
    closeSync(file)
  }
  return buffer.toString('latin1', 0, bytes).split('\n').filter(Boolean)
}
