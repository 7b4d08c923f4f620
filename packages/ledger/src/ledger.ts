/** A ledger, opened: one connection writes through the queue, a small pool reads. */
import pg from 'pg'
import { account, balanceAt, openAccount, type Account, type AccountTerms } from './account.ts'
import type { Event, Result } from './event.ts'
import { expireHolds } from './expire.ts'
import { post, sendBatch } from './post.ts'
import { openQueue } from './queue.ts'
import { record, type Document } from './record.ts'
import { after, statement, type Row, type StatementQuery, type StatementRow } from './statement.ts'
import { types } from './types.ts'
import { verify } from './verify.ts'
import { openWriter, type LedgerFenced } from './writer.ts'

export interface LedgerOptions {
  /** Of a database that `migrateLedger` prepared; its user must be able to become ledger_writer and ledger_reader. */
  url: string
  /** Unix milliseconds. The ledger's time never runs backwards, whatever this says. */
  now?: () => number
  /** Another writer took over: the process should stop, since all later posts fail. */
  onFenced?: (error: LedgerFenced) => void
  /** Connections for reading; 4 if not said. */
  readers?: number
}

export interface Ledger {
  openAccount(terms: AccountTerms): Promise<bigint>
  /** One event, or several in order. Answers after commit; the same events posted again answer `exists`. */
  post(events: Event | readonly Event[]): Promise<Result[]>
  /** Releases expired holds; returns how many. Call it now and then. */
  expire(): Promise<number>
  account(which: bigint | string): Promise<Account | undefined>
  statement(query: StatementQuery): Promise<StatementRow[]>
  after(seq: bigint, limit: number): Promise<Row[]>
  balanceAt(query: { account: bigint; at: Date }): Promise<bigint>
  record(document: Document): Promise<{ seq: bigint }>
  verify(): Promise<string[]>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Takes the epoch: whoever wrote to this ledger before is refused from now on. */
export async function openLedger({ url, now = Date.now, onFenced, readers: max = 4 }: LedgerOptions): Promise<Ledger> {
  const writer = await openWriter({ url, ...(onFenced && { onFenced }) })
  const queue = openQueue<Event, Result>((batch) => sendBatch(writer, batch, now()))
  const readers = new pg.Pool({
    connectionString: url,
    options: '-c role=ledger_reader',
    application_name: 'perennial ledger reader',
    max,
    types,
  })
  readers.on('error', () => undefined) // An idle connection broke; the next query opens another.

  const ledger: Omit<Ledger, typeof Symbol.asyncDispose> = {
    openAccount: (terms) => openAccount(writer, terms),
    post: (events) => post(queue, events),
    expire: () => expireHolds(readers, ledger.post, now()),
    account: (which) => account(readers, which),
    statement: (query) => statement(readers, query),
    after: (seq, limit) => after(readers, { seq, limit }),
    balanceAt: (query) => balanceAt(readers, query),
    record: (document) => record(writer, document, now()),
    verify: () => verify(readers),
    async close() {
      await writer.close(queue.idle())
      await readers.end()
    },
  }
  return { ...ledger, [Symbol.asyncDispose]: ledger.close }
}
