/**
 * What a sandbox printed: reads the file that conmon writes, from where it was read last.
 *
 *   2026-11-21T08:12:06.123456789+00:00 stdout F a whole line
 *   2026-11-21T08:12:06.123456789+00:00 stderr P the beginning of a
 *   2026-11-21T08:12:06.123456789+00:00 stderr F  long line
 *
 * conmon begins a new file when one is full; the old one is read to its end first, as its handle is still open.
 */
import { open, stat, type FileHandle } from 'node:fs/promises'

export interface OutputLine {
  readonly at: Date
  readonly stream: 'out' | 'err'
  /** Bytes as they were printed; what is no UTF-8 is for the reader to judge. */
  readonly bytes: Buffer
}

export interface Output {
  /** The lines that were completed since the last call; none yet if the file is not there. */
  read(): Promise<OutputLine[]>
  /** What was read and not finished by a newline. */
  rest(): OutputLine[]
  close(): Promise<void>
}

/** In one go, so that a flood is read in pieces that fit in memory. */
const CHUNK_BYTES = 1_048_576
/** A line that never ends is cut into lines of this length. */
const LONGEST_LINE_BYTES = 65_536
const HEADER = /^(\S{20,40}) std(out|err) ([FP]) /

export function openOutput(path: string): Output {
  let file: FileHandle | undefined
  let inode = 0n
  let offset = 0
  let unread: Buffer = Buffer.alloc(0)
  const partial: Record<'out' | 'err', OutputLine | undefined> = { out: undefined, err: undefined }

  async function read(): Promise<OutputLine[]> {
    const lines: OutputLine[] = []
    if (!(await opened())) return lines
    for (;;) {
      const chunk = await more()
      if (chunk.length > 0) take(chunk, lines)
      if (chunk.length === CHUNK_BYTES) return lines
      if (chunk.length === 0 && !(await replaced())) return lines
    }
  }

  async function opened(): Promise<boolean> {
    if (file) return true
    try {
      file = await open(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    }
    inode = (await file.stat({ bigint: true })).ino
    offset = 0
    unread = Buffer.alloc(0)
    return true
  }

  async function more(): Promise<Buffer> {
    if (!file) return Buffer.alloc(0)
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, offset)
    offset += bytesRead
    return buffer.subarray(0, bytesRead)
  }

  /** Another file stands at the path: what is open has ended and the new one is opened. */
  async function replaced(): Promise<boolean> {
    const now = await stat(path, { bigint: true }).catch(() => undefined)
    if (!now || now.ino === inode) return false
    await close()
    return opened()
  }

  function take(chunk: Buffer, lines: OutputLine[]): void {
    unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk])
    let start = 0
    for (let end = unread.indexOf(10); end >= 0; end = unread.indexOf(10, start)) {
      complete(unread.subarray(start, end), lines)
      start = end + 1
    }
    unread = unread.subarray(start)
  }

  function complete(record: Buffer, lines: OutputLine[]): void {
    const header = HEADER.exec(record.subarray(0, 60).toString('latin1'))
    if (!header) return // Half a record from before the file was replaced.
    const stream = header[2] === 'out' ? 'out' : 'err'
    const before = partial[stream]
    const text = record.subarray(header[0].length)
    const bytes = before ? Buffer.concat([before.bytes, text]) : Buffer.from(text)
    const line = { at: before?.at ?? new Date(header[1] ?? ''), stream, bytes } as const
    const whole = header[3] === 'F' || bytes.length >= LONGEST_LINE_BYTES
    partial[stream] = whole ? undefined : line
    if (whole) lines.push(line)
  }

  async function close(): Promise<void> {
    await file?.close()
    file = undefined
  }

  return { read, close, rest: () => [partial.out, partial.err].filter((line) => line !== undefined) }
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
