/**
 * What apps, their builds and the node say about them: stored as lines, public, followed live.
 *
 * Each app has a ring of 20,000 lines and a budget of bytes (log-budget.ts). What does not fit becomes a line
 * that says how many are missing. A follower reads from the database and is only woken from memory, so a slow
 * one costs nothing and learns what it missed.
 */
import type { Clock } from '../clock.ts'
import type { Transaction } from '../database.ts'
import type { Services } from '../services.ts'
import { LogBudget } from './log-budget.ts'
import { insertLines, lastLines, linesAfter, logBounds, trimLines, type NewLine } from './queries/logs.ts'

/** `build`, `node`, `router`, or a process of the app. */
export type LogSource = string
/** `ok` and `warn` are the node's own; a program's output is `out` or `err`. */
export type LogLevel = 'out' | 'err' | 'ok' | 'warn'

export interface LogLine {
  /** 1, 2, 3 … per app, for ever. */
  readonly seq: bigint
  readonly at: Date
  readonly source: string
  readonly level: LogLevel
  readonly text: string
}

export type LineText = string | { readonly text: string; readonly level?: LogLevel; readonly at?: Date }

export interface Logs {
  /**
   * Resolves when the lines are stored; a line over the budget is counted instead. `along` is done in the same
   * transaction: how far the lines' reader has come, so that a killed one neither loses nor repeats any.
   */
  append(app: string, source: LogSource, lines: readonly LineText[], along?: Along): Promise<void>
  /** After a line, oldest first; without `after` the newest lines, oldest first. */
  tail(wanted: LogTail): Promise<LogLine[]>
  /** Every line after `after` (default: those to come) until `signal` aborts. */
  follow(app: string, signal: AbortSignal, options?: { after?: bigint; source?: LogSource }): AsyncIterable<LogLine>
  close(): Promise<void>
}

export type Along = (tx: Transaction) => Promise<unknown>

export interface LogTail {
  readonly app: string
  readonly after?: bigint
  readonly limit?: number
  readonly source?: string
}

export const LONGEST_LINE_BYTES = 16_384
export const RING_LINES = 20_000
const TRIM_EVERY = 1_000
const PAGE = 500
const REPORT_DROPPED_MS = 1_000
/** While the database is away, this much of an app's output waits; more is dropped and counted. */
const WAITING_BYTES = 1_048_576
const RETRY_MS = 1_000

interface Writer {
  readonly budget: LogBudget
  reporting: boolean
  lastSource: LogSource
  untrimmed: number
  /** Lines of one app are stored one batch after the other. */
  turn: Promise<unknown>
  waiting: NewLine[]
  waitingBytes: number
  along: Along[]
}

export interface LogsDeps {
  /** What takes an app's secrets out of a line; null: it has none. */
  readonly scrub: (app: string) => Promise<((text: string) => string) | null>
}

export function openLogs(
  services: Pick<Services, 'database' | 'clock' | 'diagnostics'>,
  { scrub }: LogsDeps = { scrub: async () => null },
): Logs {
  const { database, clock, diagnostics } = services
  /** One an app that printed since the start. */
  const writers = new Map<string, Writer>()
  const followers = new Map<string, Set<() => void>>()
  const stop = new AbortController()
  const reports = new Set<Promise<void>>()

  const writerOf = (app: string): Writer => {
    let writer = writers.get(app)
    if (!writer) {
      const budget = new LogBudget(clock.monotonicMs())
      writer = {
        budget,
        reporting: false,
        lastSource: 'node',
        untrimmed: TRIM_EVERY,
        turn: Promise.resolve(),
        waiting: [],
        waitingBytes: 0,
        along: [],
      }
      writers.set(app, writer)
    }
    return writer
  }

  /** Stores whatever waits by now: callers that come meanwhile share the next batch. */
  const flush = async (app: string, writer: Writer): Promise<void> => {
    while (writer.waiting.length > 0 || writer.along.length > 0) {
      const lines = writer.waiting.slice()
      const along = writer.along.slice()
      try {
        const next = await insertLines(database, app, { lines, along })
        writer.waiting.splice(0, lines.length)
        writer.along.splice(0, along.length)
        writer.waitingBytes -= bytesOf(lines)
        writer.untrimmed += lines.length
        if (writer.untrimmed >= TRIM_EVERY) {
          await trimLines(database, app, next - BigInt(RING_LINES))
          writer.untrimmed = 0
        }
      } catch (error) {
        if (stop.signal.aborted) throw error
        diagnostics.warn('log lines wait for the database', { app, lines: writer.waiting.length, error })
        await clock.sleep(RETRY_MS, stop.signal)
      }
      for (const wake of followers.get(app) ?? []) wake()
    }
  }

  const store = (app: string, writer: Writer, lines: readonly NewLine[], along?: Along): Promise<void> => {
    writer.waiting.push(...lines)
    if (along) writer.along.push(along)
    writer.waitingBytes += bytesOf(lines)
    const turn = writer.turn.then(() => flush(app, writer))
    writer.turn = turn.catch(() => undefined)
    return turn
  }

  /** Says how many lines are missing, a second after the first of them, when nothing else says it before. */
  const reportLater = (app: string, writer: Writer): void => {
    if (writer.reporting) return
    writer.reporting = true
    const report = clock.sleep(REPORT_DROPPED_MS, stop.signal).then(async () => {
      writer.reporting = false
      await store(app, writer, droppedLine(writer, clock))
    })
    const settled = report
      .catch((error: unknown) => diagnostics.warn('a count of dropped log lines was not stored', { app, error }))
      .finally(() => reports.delete(settled))
    reports.add(settled)
  }

  /** No line is stored before it is known what must not be in it. */
  const scrubOf = async (app: string): Promise<((text: string) => string) | null> => {
    for (;;) {
      try {
        return await scrub(app)
      } catch (error) {
        if (stop.signal.aborted) throw error
        diagnostics.warn('log lines wait for the settings of their app', { app, error })
        await clock.sleep(RETRY_MS, stop.signal)
      }
    }
  }

  const tail = ({ app, after, limit = 100, source }: LogTail): Promise<LogLine[]> =>
    after === undefined
      ? lastLines(database, { app, source, limit })
      : linesAfter(database, { app, source, limit }, after)

  return {
    async append(app, source, lines, along) {
      const clear = await scrubOf(app)
      const writer = writerOf(app)
      const now = clock.now()
      const kept: NewLine[] = []
      for (const line of lines) {
        const { text, level = 'out', at = now } = typeof line === 'string' ? { text: line } : line
        const storable = clean(clear ? clear(text) : text)
        const fits = writer.waitingBytes < WAITING_BYTES
        if (!fits) writer.budget.drop()
        if (fits && writer.budget.take(Buffer.byteLength(storable), clock.monotonicMs())) {
          kept.push(...droppedLine(writer, clock), { at, source, level, text: storable })
        } else {
          writer.lastSource = source
          reportLater(app, writer)
        }
      }
      if (kept.length > 0 || along) await store(app, writer, kept, along)
    },
    tail,
    async *follow(app, signal, { after, source } = {}) {
      let heard = true
      let wake = () => {}
      const listener = () => {
        heard = true
        wake()
      }
      const listeners = followers.get(app) ?? new Set()
      followers.set(app, listeners.add(listener))
      signal.addEventListener('abort', listener)
      stop.signal.addEventListener('abort', listener)
      try {
        let last = after ?? (await logBounds(database, app)).next - 1n
        while (!signal.aborted && !stop.signal.aborted) {
          if (!heard) await new Promise<void>((resolve) => (wake = resolve))
          heard = false
          for (;;) {
            const { first, next } = await logBounds(database, app)
            // Lines that left the ring before this reader came to them.
            if (first > last + 1n) {
              yield missed({ seq: first - 1n, count: first - last - 1n, at: clock.now() })
              last = first - 1n
            }
            const lines = await linesAfter(database, { app, source, limit: PAGE }, last)
            for (const line of lines) {
              if (signal.aborted) return
              yield line
              last = line.seq
            }
            if (lines.length < PAGE) {
              // Lines of other sources count as read.
              if (next - 1n > last) last = next - 1n
              break
            }
          }
        }
      } finally {
        listeners.delete(listener)
        if (listeners.size === 0) followers.delete(app)
        signal.removeEventListener('abort', listener)
        stop.signal.removeEventListener('abort', listener)
      }
    },
    async close() {
      stop.abort()
      await Promise.all(reports)
      await Promise.all([...writers.values()].map((writer) => writer.turn))
    },
  }
}

function bytesOf(lines: readonly NewLine[]): number {
  return lines.reduce((sum, line) => sum + Buffer.byteLength(line.text), 0)
}

/** PostgreSQL stores no NUL, and nobody reads a line of megabytes. */
function clean(text: string): string {
  const whole = text.replaceAll('\0', '\\x00')
  const sizeBytes = Buffer.byteLength(whole)
  if (sizeBytes <= LONGEST_LINE_BYTES) return whole
  const note = ` … (${sizeBytes} bytes, cut)`
  const head = Buffer.from(whole).subarray(0, LONGEST_LINE_BYTES - Buffer.byteLength(note))
  // A character cut in half at the end decodes to U+FFFD; it goes.
  return head.toString().replace(/\ufffd$/, '') + note
}

function droppedLine(writer: Writer, clock: Clock): NewLine[] {
  const dropped = writer.budget.reportDropped()
  if (dropped === 0) return []
  const text = `${dropped} ${dropped === 1 ? 'line' : 'lines'} dropped: more than 64 KiB a second`
  return [{ at: clock.now(), source: writer.lastSource, level: 'warn', text }]
}

function missed({ seq, count, at }: { seq: bigint; count: bigint; at: Date }): LogLine {
  const text = `${count} ${count === 1n ? 'line is' : 'lines are'} gone: the log keeps the last ${RING_LINES}`
  return { seq, at, source: 'node', level: 'warn', text }
}
