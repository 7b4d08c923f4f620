/**
 * Carries what an instance prints from its sandbox's log file to the app's public log.
 *
 *   2026-11-21T08:40:02.123456789+00:00 stdout F listening on 8080       (k8s-file; P: the line goes on)
 *
 * How far it came, a place in the file, is stored in the transaction that stores the lines: a node killed at any
 * moment goes on with the next line. A full log is replaced by a new file; the old one is read to its end first.
 */
import { open, stat, type FileHandle } from 'node:fs/promises'
import type { LineText, Logs } from '../apps/index.ts'
import type { Transaction } from '../database.ts'

const CHUNK_BYTES = 256 * 1024
/** A line that never ends is cut; the log's own limit is lower still. */
const LONGEST_BYTES = 64 * 1024

/** Everything before this place of this file is in the app's log. */
export interface PrintedPlace {
  readonly inode: bigint
  readonly offset: bigint
}

export interface PrintedSource {
  readonly app: string
  readonly path: string
  readonly place: PrintedPlace | null
  readonly save: (tx: Transaction, place: PrintedPlace) => Promise<unknown>
}

export interface Printed {
  /** Carries over what is new. */
  carry(): Promise<void>
  /** The same, for the last time: a line that it began and did not end counts as one. */
  finish(): Promise<void>
  close(): Promise<void>
}

interface OpenFile {
  readonly handle: FileHandle
  readonly inode: bigint
  /** Where the first line starts that is not stored yet; `rest` holds what was read from there on. */
  offset: bigint
  rest: Buffer
}

export function openPrinted(logs: Pick<Logs, 'append'>, source: PrintedSource): Printed {
  let file: OpenFile | null = null
  let place = source.place

  /** The file that has this name now; null while there is none that may be read. */
  async function openCurrent(): Promise<OpenFile | null> {
    const handle = await open(source.path).catch((error: NodeJS.ErrnoException) => {
      // Not made yet, removed, or made by conmon a moment ago and not yet opened up to the node.
      if (error.code === 'ENOENT' || error.code === 'EACCES') return null
      throw error
    })
    if (!handle) return null
    const { ino, size } = await handle.stat({ bigint: true })
    const known = place?.inode === ino && place.offset <= size ? place.offset : 0n
    return { handle, inode: ino, offset: known, rest: Buffer.alloc(0) }
  }

  /** What stands in the file behind what was read; stored with the place behind its last whole line. */
  async function carryFrom(from: OpenFile, { last = false } = {}): Promise<void> {
    for (;;) {
      const at = Number(from.offset) + from.rest.length
      const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, Math.max(0, (await from.handle.stat()).size - at)))
      const { bytesRead } = await from.handle.read(chunk, 0, chunk.length, at)
      from.rest = Buffer.concat([from.rest, chunk.subarray(0, bytesRead)])
      const { lines, sizeBytes } = linesOf(from.rest, last && bytesRead === 0)
      if (sizeBytes > 0) {
        const next = { inode: from.inode, offset: from.offset + BigInt(sizeBytes) }
        await logs.append(source.app, 'web', lines, (tx) => source.save(tx, next))
        place = next
        from.offset = next.offset
        from.rest = Buffer.from(from.rest.subarray(sizeBytes))
      }
      if (bytesRead === 0) return
    }
  }

  async function carry(options?: { last: boolean }): Promise<void> {
    file ??= await openCurrent()
    if (!file) return
    await carryFrom(file, options)
    const inode = await inodeOf(source.path)
    if (inode === null || inode === file.inode) return
    const now = await openCurrent()
    if (!now) return
    // Replaced: what was written to the old file since it was read a moment ago is its end.
    await carryFrom(file, { last: true })
    await file.handle.close()
    file = now
    await carryFrom(file, options)
  }

  async function close(): Promise<void> {
    await file?.handle.close()
    file = null
  }

  return {
    carry,
    async finish() {
      await carry({ last: true })
      await close()
    },
    close,
  }
}

async function inodeOf(path: string): Promise<bigint | null> {
  return stat(path, { bigint: true }).then(
    ({ ino }) => ino,
    () => null,
  )
}

/**
 * The lines that have ended, and how many bytes they take. A line in parts ends with its last part, when the other
 * stream prints in between, or when nothing follows (`last`).
 */
function linesOf(bytes: Buffer, last: boolean): { lines: LineText[]; sizeBytes: number } {
  const lines: PrintedLine[] = []
  let sizeBytes = 0
  let begun: PrintedLine | null = null
  for (let start = 0, end = bytes.indexOf(10); end >= 0; start = end + 1, end = bytes.indexOf(10, start)) {
    const part = parse(bytes.subarray(start, end).toString())
    if (begun && part && begun.level !== part.level) {
      lines.push(begun)
      begun = null
    }
    if (part) begun = begun ? { ...part, text: (begun.text + part.text).slice(0, LONGEST_BYTES) } : part
    if (begun && !begun.whole) continue
    if (begun) lines.push(begun)
    begun = null
    sizeBytes = end + 1
  }
  if (begun && last) {
    lines.push(begun)
    sizeBytes = bytes.length
  }
  return { lines: lines.map(({ at, level, text }) => ({ at, level, text })), sizeBytes }
}

interface PrintedLine {
  readonly at: Date
  readonly level: 'out' | 'err'
  readonly whole: boolean
  readonly text: string
}

/** Null for what is no line of the format, such as one that conmon had only begun when it was killed. */
export function parse(line: string): PrintedLine | null {
  const match =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP]) ?(.*)$/s.exec(line)
  if (!match) return null
  const [, time = '', stream, tag, text = ''] = match
  const at = new Date(time.replace(/(\.\d{3})\d+/, '$1'))
  if (Number.isNaN(at.getTime())) return null
  return { at, level: stream === 'stderr' ? 'err' : 'out', whole: tag === 'F', text: text.replace(/\r$/, '') }
}
