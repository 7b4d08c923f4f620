/**
 * What a sandbox printed: reads the file that conmon writes, from where it was read last.
 *
 *   2026-11-21T08:12:06.123456789+00:00 stdout F a whole line
 *   2026-11-21T08:12:06.123456789+00:00 stderr P the beginning of a
 *   2026-11-21T08:12:06.123456789+00:00 stderr F  long line
 *
 * `openRecords` gives the records as they stand, each with its place, for who must go on after a kill; `openOutput`
 * puts the parts of long lines together. conmon begins a new file when one is full, and writes nothing to the old one
 * from then on: it is read to its end first, as its handle is still open.
 */
import { open, stat, type FileHandle } from 'node:fs/promises'

/** Everything before this place of this file was read. */
export interface LogPlace {
  readonly inode: bigint
  readonly offset: bigint
}

export interface LogRecord {
  readonly at: Date
  readonly stream: 'out' | 'err'
  /** Bytes as they were printed; what is no UTF-8 is for the reader to judge. */
  readonly bytes: Buffer
  /** The line ends with it. */
  readonly ends: boolean
  /** Behind it. */
  readonly place: LogPlace
}

export interface Records {
  /** Those that were written since the last call, as many as fit in memory; none: that is all by now. */
  read(): Promise<LogRecord[]>
  close(): Promise<void>
}

/** In one go, so that a flood is read in pieces that fit in memory. */
const CHUNK_BYTES = 262_144
/** A line that never ends is cut into lines of this length. */
export const LONGEST_LINE_BYTES = 65_536
const HEADER = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) std(out|err) ([FP])(?: |$)/
const LONGEST_HEADER_BYTES = 60

interface LogFile {
  readonly handle: FileHandle
  readonly inode: bigint
  /** Where `unread`, the beginning of a record, starts. */
  offset: bigint
  unread: Buffer
  /** Another file has its name: once more to the end, and it is done. */
  replaced: boolean
}

/** `from`: where an earlier reader has come to, if that file is still the log. */
export function openRecords(path: string, from: LogPlace | null = null): Records {
  let file: LogFile | null = null

  async function openCurrent(): Promise<LogFile | null> {
    const handle = await open(path).catch((error: NodeJS.ErrnoException) => {
      // Not made yet, removed, or made by conmon a moment ago and not yet opened up to the node.
      if (error.code === 'ENOENT' || error.code === 'EACCES') return null
      throw error
    })
    if (!handle) return null
    const { ino, size } = await handle.stat({ bigint: true })
    const offset = from?.inode === ino && from.offset <= size ? from.offset : 0n
    return { handle, inode: ino, offset, unread: Buffer.alloc(0), replaced: false }
  }

  async function isReplaced({ inode }: LogFile): Promise<boolean> {
    const now = await stat(path, { bigint: true }).catch(() => null)
    return now !== null && now.ino !== inode
  }

  async function close(): Promise<void> {
    await file?.handle.close()
    file = null
  }

  return {
    async read() {
      for (;;) {
        file ??= await openCurrent()
        if (!file) return []
        if (await readMore(file)) {
          const records = takeRecords(file)
          if (records.length > 0) return records
        } else if (file.replaced) await close()
        else if (await isReplaced(file)) file.replaced = true
        else return []
      }
    },
    close,
  }
}

/** False at the end of what is there. */
async function readMore(file: LogFile): Promise<boolean> {
  const at = Number(file.offset) + file.unread.length
  // Most files have nothing new, and are asked four times a second.
  const sizeBytes = Math.min(CHUNK_BYTES, (await file.handle.stat()).size - at)
  if (sizeBytes <= 0) return false
  const { buffer, bytesRead } = await file.handle.read(Buffer.allocUnsafe(sizeBytes), 0, sizeBytes, at)
  file.unread = Buffer.concat([file.unread, buffer.subarray(0, bytesRead)])
  return bytesRead > 0
}

function takeRecords(file: LogFile): LogRecord[] {
  const { inode, unread } = file
  const records: LogRecord[] = []
  let start = 0
  for (let end = unread.indexOf(10); end >= 0; end = unread.indexOf(10, start)) {
    const place = { inode, offset: file.offset + BigInt(end + 1) }
    const record = parseRecord(unread.subarray(start, end))
    if (record) records.push({ ...record, place })
    start = end + 1
  }
  // What is longer than any record is none: half of one that conmon was killed in, say.
  if (unread.length - start > CHUNK_BYTES) start = unread.length
  file.offset += BigInt(start)
  file.unread = Buffer.from(unread.subarray(start))
  return records
}

/** Null for what is no record, such as one that conmon had only begun when it was killed. */
export function parseRecord(bytes: Buffer): Omit<LogRecord, 'place'> | null {
  const header = HEADER.exec(bytes.subarray(0, LONGEST_HEADER_BYTES).toString('latin1'))
  if (!header) return null
  const [{ length }, time = '', stream, tag] = header
  const at = new Date(time.replace(/(\.\d{3})\d+/, '$1'))
  if (Number.isNaN(at.getTime())) return null
  return { at, stream: stream === 'out' ? 'out' : 'err', ends: tag === 'F', bytes: Buffer.from(bytes.subarray(length)) }
}

export type OutputLine = Pick<LogRecord, 'at' | 'stream' | 'bytes'>

export interface Output {
  /** The lines that were completed since the last call, as many as fit in memory; none yet if the file is not there. */
  read(): Promise<OutputLine[]>
  /** What was read and not finished by a newline. */
  rest(): OutputLine[]
  close(): Promise<void>
}

/** Lines of each stream by themselves: what one prints never cuts a line of the other. */
export function openOutput(path: string): Output {
  const records = openRecords(path)
  const begun: Record<'out' | 'err', OutputLine | undefined> = { out: undefined, err: undefined }

  function complete(record: LogRecord, lines: OutputLine[]): void {
    const { stream, ends } = record
    const line = joined(begun[stream], record)
    begun[stream] = ends || line.bytes.length >= LONGEST_LINE_BYTES ? undefined : line
    if (!begun[stream]) lines.push(line)
  }

  return {
    async read() {
      const lines: OutputLine[] = []
      for (let read = await records.read(); read.length > 0; read = await records.read()) {
        for (const record of read) complete(record, lines)
        if (lines.length > 0) return lines
      }
      return lines
    },
    rest: () => [begun.out, begun.err].filter((line) => line !== undefined),
    close: () => records.close(),
  }
}

/** Bytes, not texts: a character may stand in two parts. */
export function joined(before: OutputLine | undefined, { at, stream, bytes }: OutputLine): OutputLine {
  return before ? { ...before, bytes: Buffer.concat([before.bytes, bytes]) } : { at, stream, bytes }
}

/** Everything a sandbox that has ended printed on one stream, as far as its log holds it. */
export async function readOutput(path: string): Promise<OutputLine[]> {
  const output = openOutput(path)
  try {
    const all: OutputLine[] = []
    for (let lines = await output.read(); lines.length > 0; lines = await output.read()) all.push(...lines)
    return [...all, ...output.rest()]
  } finally {
    await output.close()
  }
}
