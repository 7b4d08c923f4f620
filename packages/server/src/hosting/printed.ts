/**
 * Carries what an instance prints from its sandbox's log file to the app's public log.
 *
 * How far it came, a place in the file, is stored in the transaction that stores the lines: a node killed at any
 * moment goes on with the next line. So lines are carried in the order of the file, and one in parts ends with its last
 * part, when the other stream prints in between, when it is too long, or when its file is full.
 */
import type { LineText, Logs } from '../apps/index.ts'
import type { Transaction } from '../database.ts'
import { joined, LONGEST_LINE_BYTES, openRecords, type LogPlace, type LogRecord, type OutputLine } from '../output.ts'

export interface PrintedSource {
  readonly app: string
  /** The process whose lines they are. */
  readonly process: string
  readonly path: string
  readonly place: LogPlace | null
  readonly save: (tx: Transaction, place: LogPlace) => Promise<unknown>
}

export interface Printed {
  /** Carries over what is new. */
  carry(): Promise<void>
  /** The same, for the last time: a line that it began and did not end counts as one. */
  finish(): Promise<void>
  close(): Promise<void>
}

/** A line, and the place behind its last part. */
interface Placed {
  readonly line: OutputLine
  readonly place: LogPlace
}

export function openPrinted(logs: Pick<Logs, 'append'>, { app, process, path, place, save }: PrintedSource): Printed {
  let stored = place
  let records = openRecords(path, stored)
  let begun: Placed | null = null

  /** The lines that have ended with these records. */
  function linesOf(read: readonly LogRecord[]): Placed[] {
    const lines: Placed[] = []
    for (const record of read) {
      if (begun && (begun.line.stream !== record.stream || begun.place.inode !== record.place.inode)) {
        lines.push(begun)
        begun = null
      }
      const line = joined(begun?.line, record)
      begun = { line, place: record.place }
      if (!record.ends && line.bytes.length < LONGEST_LINE_BYTES) continue
      lines.push(begun)
      begun = null
    }
    return lines
  }

  async function store(lines: readonly Placed[]): Promise<void> {
    const last = lines.at(-1)
    if (!last) return
    await logs.append(
      app,
      process,
      lines.map(({ line }) => textOf(line)),
      (tx) => save(tx, last.place),
    )
    stored = last.place
  }

  async function carry({ last = false } = {}): Promise<void> {
    try {
      for (let read = await records.read(); read.length > 0; read = await records.read()) await store(linesOf(read))
      if (!last || !begun) return
      await store([begun])
      begun = null
    } catch (error) {
      // What was read and not stored is read again.
      await records.close()
      records = openRecords(path, stored)
      begun = null
      throw error
    }
  }

  return {
    carry: () => carry(),
    async finish() {
      await carry({ last: true })
      await records.close()
    },
    close: () => records.close(),
  }
}

function textOf({ at, stream, bytes }: OutputLine): LineText {
  return { at, level: stream, text: bytes.toString('utf8').replace(/\r$/, '') }
}
