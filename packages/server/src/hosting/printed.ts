/**
 * Carries what instances print from the sandbox's log file to the app's public log.
 *
 *   2026-11-21T08:40:02.123456789+00:00 stdout F listening on 8080       (k8s-file; P: the line goes on)
 *
 * How far it came is a time, stored after the lines: a node killed in between finds those lines in the log and
 * leaves them out, so that none is lost and none is doubled.
 */
import { open } from 'node:fs/promises'
import type { LineText, LogLine, Logs } from '../apps/index.ts'

const CHUNK_BYTES = 256 * 1024
/** A line that never ends is cut; the log's own limit is lower still. */
const LONGEST_BYTES = 64 * 1024
const RECENT = 500

export interface PrintedSource {
  readonly app: string
  readonly path: string
  /** Everything until then was carried over by an earlier process. */
  readonly loggedAt: Date | null
}

export interface Printed {
  /** Carries over what is new; the time of the last line, or null if there was none. */
  carry(): Promise<Date | null>
}

export function openPrinted(logs: Pick<Logs, 'append' | 'tail'>, source: PrintedSource): Printed {
  let offset = 0
  let inode = 0
  let rest = Buffer.alloc(0)
  let partial = ''
  let known: Set<string> | null = null
  let fromMs = source.loggedAt?.getTime() ?? 0

  const read = async (): Promise<Buffer> => {
    const file = await open(source.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (!file) return Buffer.alloc(0)
    try {
      const { ino, size } = await file.stat()
      // A full log starts over as another file.
      if (ino !== inode || size < offset) {
        inode = ino
        offset = 0
        rest = Buffer.alloc(0)
      }
      const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, size - offset))
      const { bytesRead } = await file.read(chunk, 0, chunk.length, offset)
      offset += bytesRead
      return chunk.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  }

  return {
    async carry() {
      known ??= await recent(logs, source.app)
      let last: Date | null = null
      for (;;) {
        const chunk = await read()
        if (chunk.length === 0) return last
        rest = Buffer.concat([rest, chunk])
        const lines: { at: Date; text: string; level: 'out' | 'err' }[] = []
        for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
          const line = parse(rest.subarray(0, end).toString())
          rest = rest.subarray(end + 1)
          if (!line || line.at.getTime() < fromMs) continue
          partial = (partial + line.text).slice(0, LONGEST_BYTES)
          if (!line.whole) continue
          lines.push({ at: line.at, level: line.level, text: partial })
          partial = ''
        }
        const fresh = lines.filter((line) => !known?.has(markOf(line)))
        if (fresh.length > 0) await logs.append(source.app, 'web', fresh satisfies LineText[])
        const end = lines.at(-1)
        if (end) {
          last = end.at
          fromMs = end.at.getTime()
        }
        if (chunk.length < CHUNK_BYTES) return last
      }
    },
  }
}

/** What the end of the log holds already. */
async function recent(logs: Pick<Logs, 'tail'>, app: string): Promise<Set<string>> {
  const lines = await logs.tail({ app, source: 'web', limit: RECENT })
  return new Set(lines.map((line: LogLine) => markOf(line)))
}

function markOf({ at, text }: { at: Date; text: string }): string {
  return `${at.getTime()} ${text}`
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
