/**
 * Asks payers for what an open interval may cost. The row comes first, the ledger's hold after it, the answer last:
 * a hold whose answer is not known is asked for again under its id, and is one hold.
 */
import { succeeded, type Ledger } from '@perennial/ledger'
import { newId, transferCode, type Micros } from '@perennial/protocol'
import type { Services } from '../services.ts'
import { accountOf, type Accounts } from './accounts.ts'
import { answerHolds, insertHolds, type HoldRow } from './queries/usage.ts'
import { intervalId, type Hold, type Stream } from './stream.ts'

export interface Ask {
  readonly stream: Stream
  readonly micros: Micros
}

export interface Holder {
  /** Holds as much of each as its payer has. */
  ask(asks: readonly Ask[]): Promise<void>
  /** Asks again for what has no answer yet. */
  finish(streams: Iterable<Stream>): Promise<void>
}

export interface HolderDeps {
  readonly ledger: Ledger
  readonly accounts: Accounts
  readonly crash: (point: string) => void
}

interface Open {
  readonly stream: Stream
  readonly hold: Hold
}

export function openHolder({ database, clock }: Pick<Services, 'database' | 'clock'>, deps: HolderDeps): Holder {
  const { ledger, accounts, crash } = deps

  const answer = async (open: readonly Open[]): Promise<void> => {
    if (open.length === 0) return
    await insertHolds(
      database,
      open.map(({ stream, hold }) => rowOf(stream, hold, clock.now())),
    )
    crash('hold-stored')
    const events = await Promise.all(
      open.map(async ({ stream, hold }) => ({
        id: hold.id,
        kind: 'hold' as const,
        debit: await accounts.id(stream.payer),
        credit: await accounts.id(accountOf.clearing(stream.app)),
        amount: hold.asked,
        upTo: true,
        code: transferCode('hold'),
      })),
    )
    const results = await ledger.post(events)
    crash('hold-posted')
    const answers = results.map((result, place) => {
      const { id } = open[place]!.hold
      if (succeeded(result)) return { id, amount: result.amount ?? 0n }
      if (result.status === 'below-floor') return { id, amount: 0n }
      throw new Error(`the ledger answered ${result.status} to hold ${id}`)
    })
    await answerHolds(database, answers)
    crash('hold-answered')
    for (const [place, { stream, hold }] of open.entries()) {
      hold.amount = answers[place]!.amount
      stream.dry = hold.amount === 0n
      if (stream.dry) stream.holds = stream.holds.filter((other) => other !== hold)
    }
  }

  return {
    async ask(asks) {
      const open = asks.map(({ stream, micros }) => {
        const hold: Hold = { id: newId({ nowMs: clock.now().getTime() }), asked: micros, amount: null }
        stream.holds.push(hold)
        return { stream, hold }
      })
      await answer(open)
    },
    async finish(streams) {
      const open: Open[] = []
      for (const stream of streams) {
        for (const hold of stream.holds) if (hold.amount === null) open.push({ stream, hold })
      }
      await answer(open)
    },
  }
}

function rowOf(stream: Stream, hold: Hold, askedAt: Date): HoldRow {
  const { app, payer, holds } = stream
  const usage = intervalId(stream)
  return {
    id: hold.id,
    usage,
    app,
    payer,
    cause: 'run',
    place: holds.indexOf(hold),
    asked: hold.asked,
    askedAt,
    amount: null,
  }
}
