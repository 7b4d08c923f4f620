/**
 * The one connection that writes: it knows the epoch, and it never loses a question.
 *
 * When the connection breaks, nothing is known about what was under way: it may have been committed or not. So the
 * same question is asked again on a new connection, before anything new; every function of the ledger answers a
 * repeated question as the first time. When another writer took over, this one stops for good.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { types } from './types.ts'

const RETRY_MS = { first: 20, longest: 2_000 }

/** Another process took over; whoever sees this must stop, because what it believes is old. */
export class LedgerFenced extends Error {
  override readonly name = 'LedgerFenced'
  readonly code = 'ledger-fenced'
}

/** No answer, and none to come from this ledger object: closed before the database could be reached again. */
export class LedgerUnavailable extends Error {
  override readonly name = 'LedgerUnavailable'
  readonly code = 'ledger-unavailable'
}

export interface Writer {
  readonly epoch: number
  /** The one row that a function of the ledger answers, after commit, however many connections that takes. */
  ask<Row extends pg.QueryResultRow>(question: Question): Promise<Row>
  /** Waits for `work` under way, unless the connection is lost meanwhile. */
  close(work: Promise<void>): Promise<void>
}

interface Question {
  /** Prepared once per connection under this name. */
  name: string
  text: string
  values: unknown[]
}

export async function openWriter(options: { url: string; onFenced?: (error: LedgerFenced) => void }): Promise<Writer> {
  let connection: Promise<pg.Client> | undefined = connect(options.url)
  let stopped: Error | undefined
  let closing = false
  const epoch = await takeEpoch(await connection)

  // One question at a time: none may overtake another that is being asked again.
  let previous: Promise<unknown> = Promise.resolve()
  function ask<Row extends pg.QueryResultRow>(question: Question): Promise<Row> {
    const answer = previous.then(() => askUntilAnswered<Row>(question))
    previous = answer.catch(ignore)
    return answer
  }

  async function askUntilAnswered<Row extends pg.QueryResultRow>(question: Question): Promise<Row> {
    let delayMs = RETRY_MS.first
    for (;;) {
      if (stopped) throw stopped
      const attempt = (connection ??= connect(options.url))
      let asked = false
      try {
        const client = await attempt
        asked = true
        const result = await client.query<Row>(question)
        return result.rows[0]!
      } catch (error) {
        // A server that lets nobody in just now has answered nothing.
        if (asked && answered(error)) throw refused(error)
        if (connection === attempt) {
          connection = undefined
          void attempt.then((client) => client.end(), ignore)
        }
        if (closing)
          stopped ??= new LedgerUnavailable('the ledger was closed while its database was away', { cause: error })
        await sleep(stopped ? 0 : delayMs)
        delayMs = Math.min(2 * delayMs, RETRY_MS.longest)
      }
    }
  }

  function refused(error: pg.DatabaseError): Error {
    if (error.code !== 'LG001') return error
    const fenced = new LedgerFenced('another writer took over this ledger; stop this process', { cause: error })
    stopped = fenced
    options.onFenced?.(fenced)
    return fenced
  }

  async function close(work: Promise<void>): Promise<void> {
    closing = true
    await work
    await previous
    const client = await connection?.catch(ignore)
    await client?.end()
    stopped ??= new LedgerUnavailable('the ledger is closed')
  }

  return { epoch, ask, close }
}

async function takeEpoch(client: pg.Client): Promise<number> {
  try {
    const { rows } = await client.query<{ epoch: number }>('select ledger.take_epoch() as epoch')
    return rows[0]!.epoch
  } catch (error) {
    await client.end()
    throw error
  }
}

async function connect(url: string): Promise<pg.Client> {
  // As the role that may call the ledger's functions and nothing else, whoever the address says we are.
  const client = new pg.Client({
    connectionString: url,
    options: '-c role=ledger_writer',
    application_name: 'perennial ledger writer',
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
    types,
  })
  client.on('error', ignore) // The question under way gets the same error, and asks again.
  await client.connect()
  return client
}

/** Whether the server said no. Else it may have said yes, and we did not hear it. */
function answered(error: unknown): error is pg.DatabaseError {
  // 08 connection broken, 57P01–57P03 the server stops, crashed or starts.
  return error instanceof pg.DatabaseError && !/^(08|57P0[123])/.test(error.code ?? '')
}

function ignore(): undefined {
  return undefined
}
