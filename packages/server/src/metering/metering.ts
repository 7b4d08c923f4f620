/**
 * From readings to charges.
 *
 * Each second every sandbox's cumulative meters are read and added up in memory; that never waits for the
 * database. Beside it, one round after the other, go the steps that must survive a kill at any point:
 *
 *   store  closed intervals, marks and remainders, in one transaction   (the cause)
 *   post   their chains to the ledger, under derived ids                (the money), then mark them as posted
 *   hold   what the next interval may cost; a payer who has nothing left is exhausted
 *
 * A step that failed is done again by the next round; a node that starts does whatever is not marked.
 */
import type { Ledger } from '@perennial/ledger'
import {
  maxBurnPerHour,
  refuse,
  type Limits,
  type Meter,
  type Micros,
  type PriceBook,
  type Refusal,
} from '@perennial/protocol'
import type { Reading } from '@perennial/sandbox/client'
import type { Services } from '../services.ts'
import type { Apps } from '../apps/index.ts'
import type { AccountName, Accounts } from './accounts.ts'
import { ended } from './allowance.ts'
import type { RequestCount } from './advance.ts'
import { openBuildMeter, type BuildMeter } from './builds.ts'
import { openHolder } from './holder.ts'
import { openMeters } from './meters.ts'
import { openPoster } from './poster.ts'
import { forgetHolds } from './queries/usage.ts'
import { priceText } from './rating.ts'
import { openRent, type Rent } from './rent.ts'
import { openReports, type Reports } from './reports.ts'
import { openRounds } from './rounds.ts'
import { heldFor, projected } from './stream.ts'

export interface MeteringSources {
  /** Every sandbox, in one round trip. */
  read(): Promise<Reading[]>
  /** The gateway's counters. */
  requests(): Promise<RequestCount[]>
  /** The payer has nothing left, or may give no more: the app is to stop. Called again while it has not. */
  exhausted(app: string, sentence: string): Promise<void>
}

export interface MeteringDeps {
  readonly ledger: Ledger
  readonly accounts: Accounts
  readonly apps: Pick<Apps, 'find'>
  readonly priceBook: PriceBook
  readonly limits: Limits
  /** did:key of the node, whose account is paid. */
  readonly provider: string
  readonly sources: MeteringSources
  /** For tests: called between any two steps that a kill may separate. */
  readonly crash?: (point: string) => void
}

export interface Attachment {
  readonly app: string
  /** Id of the sandbox. */
  readonly instance: string
  readonly payer: AccountName
}

export interface Projection {
  /** Metered and not yet posted, at the price book's rates. */
  readonly unposted: Micros
  readonly held: Micros
}

/** What an app can cost at most in one hour. */
export interface MaxBurn {
  readonly run: Micros
  readonly build: Micros
}

export interface Metering extends BuildMeter, Rent, Reports {
  /**
   * Before the sandbox is started: money is held, then work is done. Again with the same instance: nothing changes, or
   * another payer pays from now on.
   */
  attach(attachment: Attachment): Promise<Refusal | null>
  /** After the sandbox was stopped and before it is removed: its last reading is counted. */
  detach(instance: string): Promise<void>
  /** One tick: reads, adds up, and waits for what became due. */
  sample(): Promise<void>
  /** Charges everything metered so far, now, and releases what is held. Throws if the books cannot be reached. */
  settle(app: string): Promise<void>
  projection(app: string): Projection
  /** What this payer has on hold for the app's run, from which it is paid now. */
  heldBy(app: string, payer: AccountName): Micros
  /** Why this payer pays no more for the app's run today; null: it does. */
  ended(app: string, payer: AccountName): string | null
  readonly maxBurn: MaxBurn
  /** did:key of who is paid. */
  readonly provider: string
  /** Samples each second until `close`. */
  start(): void
  close(): Promise<void>
}

const TICK_MS = 1_000
const CLOSE_MS = 5_000
const DAY_MS = 86_400_000
const HOLDS_KEPT_MS = 90 * DAY_MS

export async function openMetering(services: Services, deps: MeteringDeps): Promise<Metering> {
  const { clock, database, diagnostics } = services
  const { accounts, ledger, limits, priceBook, provider, sources } = deps
  const crash = deps.crash ?? (() => {})
  const prices = (meter: Meter) => priceText(priceBook.prices[meter])
  const runBurn = maxBurnPerHour(priceBook, limits)

  const post = openPoster(services, { ledger, accounts, provider, crash })
  const meters = await openMeters(database, prices, clock.now().getTime())
  const holder = openHolder(services, { ledger, accounts, crash })
  const rounds = await openRounds(services, { meters, holder, post, priceBook, provider, runBurn, sources, crash })
  const { maxBuildBurn, ...builds } = openBuildMeter(services, { ledger, accounts, priceBook, provider, post, crash })
  const rent = openRent(services, { ledger, accounts, apps: deps.apps, priceBook, provider, crash })
  const streamOf = (app: string, payer: AccountName) => meters.ofApp(app).find((one) => one.payer === payer)
  const stop = new AbortController()
  let looping: Promise<void> | undefined

  let forgottenDay = 0
  const forget = async (): Promise<void> => {
    const now = clock.now().getTime()
    const day = Math.floor(now / DAY_MS)
    if (day === forgottenDay) return
    await forgetHolds(database, new Date(now - HOLDS_KEPT_MS))
    forgottenDay = day
  }

  const round = async (): Promise<{ stopped: Promise<void> }> => {
    const { stopped } = await rounds.round()
    await rent.collectDue()
    await forget()
    return { stopped }
  }

  /** Reads go on while a round waits for the database: what is used meanwhile is counted. */
  const loop = async (): Promise<void> => {
    const busy = new Map<string, Promise<void>>()
    const stopping = new Set<Promise<void>>()
    /** An app that is slow to stop holds up nobody else's charges. */
    const charge = async () => {
      const { stopped } = await round()
      stopping.add(stopped)
      void stopped.finally(() => stopping.delete(stopped))
    }
    const run = (name: string, work: () => Promise<void>) => {
      if (busy.has(name)) return
      const failed = (error: unknown) => diagnostics.warn(`metering: ${name} failed; it is tried again`, { error })
      busy.set(
        name,
        work()
          .catch(failed)
          .finally(() => busy.delete(name)),
      )
    }
    while (!stop.signal.aborted) {
      run('reading', () => rounds.read())
      run('charging', charge)
      await clock.sleep(TICK_MS, stop.signal)
    }
    await Promise.all([...busy.values(), ...stopping])
  }

  return {
    ...builds,
    ...rent,
    ...openReports(database),
    maxBurn: { run: runBurn, build: maxBuildBurn },
    provider,
    async attach(attachment) {
      const outcome = await rounds.attach(attachment)
      return outcome === 'held'
        ? null
        : refuse('request-declined/payment-required', outcome.refused, 'Pay for the app; it starts by itself.')
    },
    detach: (instance) => rounds.detach(instance),
    async sample() {
      await rounds.read()
      await (
        await round()
      ).stopped
    },
    settle: (app) => rounds.settle(app),
    projection(app) {
      const streams = meters.ofApp(app)
      const open = streams.reduce((sum, stream) => sum + projected(stream, priceBook), 0n)
      const held = streams.reduce((sum, stream) => sum + heldFor(stream), 0n)
      return { unposted: open + rounds.unposted(app), held }
    },
    heldBy(app, payer) {
      const stream = streamOf(app, payer)
      return stream ? heldFor(stream) : 0n
    },
    ended(app, payer) {
      const stream = streamOf(app, payer)
      return stream ? ended(stream, clock.now().getTime()) : null
    },
    start() {
      looping ??= loop()
    },
    async close() {
      stop.abort()
      const timer = new AbortController()
      const last = async () => {
        await looping
        await rounds.checkpoint()
      }
      // A database that does not come back must not keep the node: what is not stored now is read again at start.
      const failed = (error: unknown) => diagnostics.warn('metering closed without a last checkpoint', { error })
      await Promise.race([last().catch(failed), clock.sleep(CLOSE_MS, timer.signal)])
      timer.abort()
    },
  }
}
