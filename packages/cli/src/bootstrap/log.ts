/**
 * The file of a program's output. The program writes to it itself, not through us, so that it can say its last words
 * when we are killed; so a full one is not put aside but copied and then cut to nothing while the program goes on
 * writing at its end. What it prints between the end of the copy and the cut, a few microseconds, is lost.
 *
 * Only root and the node's group read it: it tells paths, addresses and what went wrong.
 */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'

export interface Log {
  readonly path: string
  /** For one life of the program: its descriptor, and the last words of this life. */
  open(): { readonly fd: number; lastWords(): string }
  /** Puts aside what is there when that is much. */
  rotate(): void
}

export interface LogOptions {
  readonly path: string
  /** Whose members read it. */
  readonly gid: number
  readonly maxBytes?: number
}

const MAX_BYTES = 16 * 2 ** 20
/** Files put aside: `<path>.1` is the youngest. */
const KEPT = 3
const MODE = 0o640
const LAST_LINES = 10
const LAST_BYTES = 64 * 1024

export function openLog({ path, gid, maxBytes = MAX_BYTES }: LogOptions): Log {
  const aside = (number: number) => `${path}.${number}`
  let cuts = 0

  function openForGroup(file: string, flags: string): number {
    const fd = openSync(file, flags, MODE)
    fchmodSync(fd, MODE)
    fchownSync(fd, process.getuid?.() ?? 0, gid)
    return fd
  }

  // Those of an earlier version may be open to all.
  for (let number = 1; number <= KEPT; number++)
    if (existsSync(aside(number))) closeSync(openForGroup(aside(number), 'r+'))

  function rotate(): void {
    if (!existsSync(path) || statSync(path).size <= maxBytes) return
    rmSync(aside(KEPT), { force: true })
    for (let number = KEPT - 1; number >= 1; number--)
      if (existsSync(aside(number))) renameSync(aside(number), aside(number + 1))
    const from = openSync(path, 'r+')
    const to = openForGroup(aside(1), 'w')
    try {
      copyEnd({ from, to, maxBytes })
    } finally {
      // On a full disk, too, where the copy fails: then it is the copy that is lost, not the machine.
      ftruncateSync(from)
      cuts++
      closeSync(from)
      closeSync(to)
    }
  }

  return {
    path,
    rotate,
    open() {
      const fd = openForGroup(path, 'a')
      const born = { atByte: fstatSync(fd).size, cuts }
      return { fd, lastWords: () => lastWords(path, cuts === born.cuts ? born.atByte : 0) }
    },
  }
}

/** No more than the limit: what was printed beyond it since the last look is the older part. */
function copyEnd({ from, to, maxBytes }: { from: number; to: number; maxBytes: number }): void {
  const buffer = Buffer.allocUnsafe(2 ** 20)
  let at = Math.max(0, fstatSync(from).size - maxBytes)
  for (let size = 1; size > 0; at += size) {
    size = readSync(from, buffer, 0, buffer.length, at)
    writeSync(to, buffer, 0, size)
  }
}

/** Without stack frames; a line of diagnostics as its message. */
function lastWords(path: string, bornAtByte: number): string {
  const bytes = readFileSync(path).subarray(bornAtByte).subarray(-LAST_BYTES)
  const lines = bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
  return lines
    .slice(-LAST_LINES)
    .map((line) => `  ${messageOf(line).slice(0, 300)}`)
    .join('\n')
}

/** `{"at":…,"message":…,"error":{"message":…}}`; a line that a kill or the cut tore is shown as it is. */
export function messageOf(line: string): string {
  try {
    const { message, error } = JSON.parse(line) as { message?: unknown; error?: { message?: unknown } }
    if (typeof message !== 'string') return line
    return typeof error?.message === 'string' ? `${message}: ${error.message}` : message
  } catch {
    return line
  }
}
