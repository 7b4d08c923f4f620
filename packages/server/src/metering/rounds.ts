/**
 * The steps between a reading and a charge, one round after the other (metering.ts says which and why).
 *
 * In a round: holds without an answer are asked again, open intervals that near what is held are extended, due ones
 * are closed, stored and posted, and what follows them is held for. Attaching and detaching wait for the round that
 * runs; readings do not, they are added up between any two of its steps.
 */
import type { Micros, PriceBook } from '@perennial/protocol'
import type { Services } from '../services.ts'
import { ALLOWANCE, type AccountName } from './accounts.ts'
import { ended } from './allowance.ts'
import type { Holder } from './holder.ts'
import type { Meters } from './meters.ts'
import type { MeteringSources } from './metering.ts'
import type { Poster } from './poster.ts'
import { key } from './queries/streams.ts'
import { answerHolds, openHolds, unpostedUsage } from './queries/usage.ts'
import { serial } from '../serial.ts'
import { burnLeft, close, heldFor, hourOf, intervalId, projected, type Closed, type Stream } from './stream.ts'

/** What memory knows and the database does not is at most this old: a kill loses the level of memory for so long. */
const CHECKPOINT_MS = 10_000
/** An interval without a sandbox ends, and frees what is held, unless one comes back by then. */
const QUIET_MS = 60_000
/** A payer who had nothing is asked again after this; an app that should have stopped is reported again after the other. */
const ASK_AGAIN_MS = 5_000
const WARN_AGAIN_MS = 10_000
/** More is held for before the last three seconds' worth is used. */
const CUSHION_PER_HOUR = 1_200n

const PURSE_EMPTY = 'The purse is empty: all that was in it is used. Nothing is lost; any payment starts the app again.'
const ALLOWANCE_EMPTY = 'This node has no start allowance left to give. Nothing is lost; any payment starts the app.'

export interface RoundDeps {
  readonly meters: Meters
  readonly holder: Holder
  readonly post: Poster
  readonly priceBook: PriceBook
  /** did:key of the node. */
  readonly provider: string
  /** The most that running may cost in an hour. */
  readonly runBurn: Micros
  readonly sources: MeteringSources
  readonly crash: (point: string) => void
}

export interface Rounds {
  /** Reads everything and adds it up. */
  read(): Promise<void>
  /** `stopped`: whoever is exhausted has been told, and has stopped. */
  round(): Promise<{ stopped: Promise<void> }>
  /** `held`: it may run. Else why its payer does not pay. */
  attach(attachment: { app: string; instance: string; payer: AccountName }): Promise<'held' | { refused: string }>
  detach(instance: string): Promise<void>
  settle(app: string): Promise<void>
  /** Closed and not yet on the ledger. */
  unposted(app: string): Micros
  /** Stores what memory knows. */
  checkpoint(): Promise<void>
}

interface Exhausted {
  readonly app: string
  readonly sentence: string
}

export async function openRounds(
  { database, clock, diagnostics }: Pick<Services, 'database' | 'clock' | 'diagnostics'>,
  { meters, holder, post, priceBook, provider, runBurn, sources, crash }: RoundDeps,
): Promise<Rounds> {
  const lock = serial()
  const reads = serial()
  const cushion = runBurn / CUSHION_PER_HOUR
  const now = () => clock.now().getTime()
  let closing: Closed[] = []
  let unposted: Closed[] = await unpostedUsage(database)
  let storedMs = now()
  await adoptHolds()

  /** Holds of the intervals that are open; those of closed ones come with their charge, those of builds with their build. */
  async function adoptHolds(): Promise<void> {
    const open = new Map([...meters.streams.values()].map((stream) => [intervalId(stream), stream]))
    const charged = new Set(unposted.map(({ id }) => id))
    for (const { id, usage, cause, asked, amount } of await openHolds(database)) {
      if (cause === 'build' || charged.has(usage)) continue
      const stream = open.get(usage)
      if (stream) stream.holds.push({ id, asked, amount })
      // Its interval closed without it, so it was stored and never asked of the ledger.
      else if (amount === null) await answerHolds(database, [{ id, amount: 0n }])
      else diagnostics.error(`hold ${id} belongs to no interval; its money stays held`, { hold: id, usage, amount })
    }
  }

  /** A gateway that is away holds up nobody's meters: what it counts is in its next answer. */
  const uncounted = (error: unknown): [] => {
    diagnostics.warn('requests cannot be counted just now; trying again', { error })
    return []
  }

  const read = () =>
    reads(async () => {
      const [readings, counts] = await Promise.all([sources.read(), sources.requests().catch(uncounted)])
      meters.apply(readings, counts)
    })

  /** Everything that changed, closed intervals first of all: a stream is never stored without what it closed. */
  const store = async (): Promise<void> => {
    if (closing.length > 0) diagnostics.debug('phase', { phase: 'charge', intervals: closing.length })
    await meters.store(closing)
    unposted.push(...closing)
    closing = []
    storedMs = now()
    crash('stored')
  }

  const exhausted = (stream: Stream): boolean =>
    stream.marks.size > 0 &&
    now() >= stream.nextWarningMs &&
    (ended(stream, now()) !== null || (stream.dry && projected(stream, priceBook) >= heldFor(stream)))

  const due = (stream: Stream): boolean =>
    stream.startedMs !== null &&
    (stream.force ||
      hourOf(now()) > hourOf(stream.startedMs) ||
      (stream.quietSinceMs !== null && now() - stream.quietSinceMs >= QUIET_MS) ||
      exhausted(stream))

  /** Returns whose payers are exhausted, and what to tell them: midnight may pass before they are told. */
  const closeDue = (): Exhausted[] => {
    const empty: Exhausted[] = []
    for (const stream of meters.streams.values()) {
      if (!due(stream)) continue
      if (exhausted(stream)) {
        const { app, payer } = stream
        const sentence = ended(stream, now()) ?? (payer === ALLOWANCE ? ALLOWANCE_EMPTY : PURSE_EMPTY)
        empty.push({ app, sentence })
        stream.nextWarningMs = now() + WARN_AGAIN_MS
      }
      const closed = close(stream, priceBook, now())
      if (closed) closing.push({ ...closed, provider })
    }
    return empty
  }

  /** Who has a sandbox and too little held for it. A charge that is not posted still has its hold: first things first. */
  const asks = (): Stream[] => {
    const owing = new Set(unposted.map(key))
    return [...meters.streams.values()].filter(
      (stream) =>
        stream.marks.size > 0 &&
        stream.startedMs !== null &&
        ended(stream, now()) === null &&
        now() >= stream.nextAskMs &&
        !owing.has(key(stream)) &&
        wants(stream),
    )
  }

  const wants = (stream: Stream): boolean => {
    const held = heldFor(stream)
    return (held === 0n || projected(stream, priceBook) + cushion >= held) && burnLeft(stream, runBurn, now()) > 0n
  }

  const ask = async (streams: readonly Stream[]): Promise<void> => {
    if (streams.length === 0) return
    await holder.ask(streams.map((stream) => ({ stream, micros: burnLeft(stream, runBurn, now()) })))
    for (const stream of streams) if (stream.dry) stream.nextAskMs = now() + ASK_AGAIN_MS
  }

  const turn = async (): Promise<Exhausted[]> => {
    await holder.finish(meters.streams.values())
    if (closing.length > 0) await store()
    await ask(asks())
    const empty = closeDue()
    if (closing.length > 0 || now() - storedMs >= CHECKPOINT_MS) await store()
    if (unposted.length > 0) {
      const { posted, refused } = await post(unposted)
      // A refused charge is set aside, with its holds: what comes after it is held for and charged as ever.
      unposted = unposted.filter(({ id }) => !posted.has(id) && !refused.has(id))
    }
    await ask(asks())
    return empty
  }

  /** Not awaited inside the lock: whoever stops an app settles it first, which takes the lock. */
  const warn = async (empty: readonly Exhausted[]): Promise<void> => {
    await Promise.all(
      empty.map(async ({ app, sentence }) => {
        crash('exhausted')
        try {
          await sources.exhausted(app, sentence)
        } catch (error) {
          diagnostics.error('an exhausted app did not stop; it is told again', { app, error })
        }
      }),
    )
  }

  /** Who stops an app waits for the turn that says so, not the other way round. */
  const turnApart = async (): Promise<void> => {
    void warn(await turn())
  }

  return {
    read,
    async round() {
      return { stopped: warn(await lock(turn)) }
    },
    attach: ({ app, instance, payer }) =>
      lock(async () => {
        const known = meters.ofInstance(instance)
        await turnApart()
        const stream = meters.stream(app, payer)
        const refused = ended(stream, now())
        if (refused !== null) return { refused }
        // What it used until now is the earlier payer's.
        if (known && known !== stream) await read()
        if (known) meters.move(instance, stream, now())
        else meters.add(stream, instance)
        const undo = () => (known ? meters.move(instance, known, now()) : meters.remove(instance, now()))
        stream.startedMs ??= now()
        stream.dry = false
        try {
          await store()
          crash('attached')
          if (wants(stream)) await ask([stream])
        } catch (error) {
          undo()
          throw error
        }
        if (!wants(stream) || heldFor(stream) > projected(stream, priceBook)) return 'held'
        undo()
        await store()
        return { refused: payer === ALLOWANCE ? ALLOWANCE_EMPTY : PURSE_EMPTY }
      }),
    detach: (instance) =>
      lock(async () => {
        if (meters.ofInstance(instance)) {
          await read()
          meters.remove(instance, now())
        }
        // Also when it is unknown: an earlier try may have failed to store it.
        await store()
        crash('detached')
      }),
    settle: (app) =>
      lock(async () => {
        await read()
        for (const stream of meters.ofApp(app)) stream.force = stream.startedMs !== null
        await turnApart()
        if (unposted.some((interval) => interval.app === app))
          throw new Error(`the charges of app ${app} are stored and not yet on the ledger; settle it again`)
      }),
    unposted: (app) =>
      [...closing, ...unposted].reduce((sum, interval) => (interval.app === app ? sum + interval.charged : sum), 0n),
    checkpoint: () => lock(store),
  }
}
