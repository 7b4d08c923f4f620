/** SQL of log lines. */
import type { Database, Queryable, Transaction } from '../../database.ts'
import type { LogLine, LogLevel } from '../logs.ts'

export interface NewLine {
  readonly at: Date
  readonly source: string
  readonly level: LogLevel
  readonly text: string
}

export interface NewLines {
  readonly lines: readonly NewLine[]
  /** Done in the same transaction. */
  readonly along: readonly ((tx: Transaction) => Promise<unknown>)[]
}

/** Numbers and stores the lines, in order; returns the number after the last. */
export async function insertLines(database: Database, app: string, { lines, along }: NewLines): Promise<bigint> {
  return database.transaction(async (tx) => {
    for (const also of along) await also(tx)
    // The head's row lock orders writers, so that a reader who saw line n has seen every line before it.
    const [head] = await tx.query<{ next: bigint }>(
      `insert into log_head (app, next) values ($1, 1 + $2::bigint)
       on conflict (app) do update set next = log_head.next + $2::bigint returning next`,
      [app, lines.length],
    )
    const next = head?.next ?? 0n
    await tx.query(
      `insert into log_line (app, seq, at, source, level, text)
       select $1, $2::bigint + line.place - 1, line.at, line.source, line.level, line.text
         from unnest($3::timestamptz[], $4::text[], $5::text[], $6::text[]) with ordinality
              as line (at, source, level, text, place)`,
      [
        app,
        next - BigInt(lines.length),
        lines.map((line) => line.at),
        lines.map((line) => line.source),
        lines.map((line) => line.level),
        lines.map((line) => line.text),
      ],
    )
    return next
  })
}

export async function trimLines(on: Queryable, app: string, before: bigint): Promise<void> {
  await on.query('delete from log_line where app = $1 and seq < $2', [app, before])
}

export interface LinesWanted {
  readonly app: string
  readonly source?: string | undefined
  readonly limit: number
}

const COLUMNS = 'seq, at, source, level, text'

/** Oldest first. */
export async function linesAfter(
  on: Queryable,
  { app, source, limit }: LinesWanted,
  after: bigint,
): Promise<LogLine[]> {
  return on.query<LogLine>(
    `select ${COLUMNS} from log_line
      where app = $1 and seq > $2 and ($3::text is null or source = $3)
      order by seq limit $4`,
    [app, after, source ?? null, limit],
  )
}

/** The newest ones, oldest first. */
export async function lastLines(on: Queryable, { app, source, limit }: LinesWanted): Promise<LogLine[]> {
  const lines = await on.query<LogLine>(
    `select ${COLUMNS} from log_line where app = $1 and ($2::text is null or source = $2) order by seq desc limit $3`,
    [app, source ?? null, limit],
  )
  return lines.reverse()
}

/** The number that the next line will get, and the oldest one that is still there. */
export async function logBounds(on: Queryable, app: string): Promise<{ next: bigint; first: bigint }> {
  const [row] = await on.query<{ next: bigint; first: bigint }>(
    `select head.next, coalesce((select min(seq) from log_line where app = $1), head.next) as first
       from log_head as head where head.app = $1`,
    [app],
  )
  return row ?? { next: 1n, first: 1n }
}
