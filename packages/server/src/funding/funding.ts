/**
 * Who pays for what: contributions come in over rails, purses last as long as their runway says, states follow.
 */
import {
  canonicalText,
  deriveId,
  formatExact,
  formatPriceBook,
  recordTopic,
  refuse,
  transferCode,
  type Micros,
  type Parts,
  type PriceBook,
  type Refusal,
  type Runway,
} from '@perennial/protocol'
import { succeeded, type Ledger } from '@perennial/ledger'
import type { Apps } from '../apps/index.ts'
import {
  accountOf,
  ALLOWANCE,
  allowancePerApp,
  COMMONS,
  type AccountName,
  type Accounts,
  type Metering,
} from '../metering/index.ts'
import type { Services } from '../services.ts'
import { openContribute, type Contribution, type Payment } from './contribute.ts'
import { daysOf, pointsOf, sparksOf, type DayMoney, type Point } from './history.ts'
import { openLifecycle } from './lifecycle.ts'
import { readPurse, type Purse } from './purse.ts'
import { pushButton } from './push-button.ts'
import {
  countContributions,
  listContributions,
  sumContributions,
  type ListedContribution,
} from './queries/contributions.ts'
import { moneyOf, soonest, sumMoney, type MoneyRow } from './queries/money.ts'
import type { Rail } from './rail.ts'
import { lasts, runway } from './spending.ts'

export interface Quote {
  readonly amount: Micros
  readonly asset: string
  readonly parts: Parts
  /** How long the purse's part lasts, rounded down; null: longer than anyone plans. */
  readonly buysMs: number | null
  /** With it. */
  readonly runway: Runway
  readonly minimum: Micros
}

/** A payment as pages list it; what it buys is counted by what its app costs now. */
export type ContributionListed = ListedContribution & { readonly buysMs: number | null }

export interface Totals {
  readonly asset: string
  readonly apps: number
  readonly running: number
  readonly frozen: number
  readonly costPerHour: Micros
  readonly paidIn: Micros
  readonly spent: Micros
  readonly toCommons: Micros
  readonly commons: Micros
  readonly allowance: Micros
  /** What one new app may take of it at once. */
  readonly allowancePerApp: Micros
}

export interface Funding {
  /** Opens a new app's accounts and looks whether the start allowance takes it; `deployment-requested` does it too. */
  open(app: string): Promise<void>
  contribute(payment: Payment): Promise<Contribution | Refusal>
  quote(asked: { app: string; amount: Micros }): Promise<Quote | Refusal>
  purse(app: string): Promise<Purse>
  /** Who pays now; null: nobody. For a build, who has its ceiling. */
  payerOf(app: string, what: 'build' | 'run', ceiling?: Micros): Promise<AccountName | null>
  /** The last payments, of one app or of all, newest first. */
  contributions(wanted: { app?: string; limit: number }): Promise<ContributionListed[]>
  countContributions(app: string): Promise<{ payments: number; payers: number }>
  days(app: string, count: number): Promise<DayMoney[]>
  balances(app: string, since: Date): Promise<Point[]>
  sparks(apps: readonly string[], count: number): Promise<Map<string, Micros[]>>
  /** Soonest to stop first, as of the last look. */
  almanac(limit: number): Promise<MoneyRow[]>
  money(apps: readonly string[]): Promise<MoneyRow[]>
  totals(): Promise<Totals>
  /** The operator's gift, once, through the rail. */
  fillAllowance(): Promise<void>
  /** Metering says so: off it goes. */
  exhausted(app: string, sentence: string): Promise<void>
  /** Reads the ledger's new rows and sets states. */
  follow(): Promise<void>
  /** Puts the price book on the log, posts what a kill left unposted, catches up with the ledger. Before anything else at start. */
  recover(): Promise<void>
  /** Follows the ledger until `close`. */
  start(): void
  close(): Promise<void>
}

export interface FundingDeps {
  readonly ledger: Ledger
  readonly accounts: Accounts
  readonly apps: Apps
  readonly metering: Metering
  readonly priceBook: PriceBook
  readonly crash?: (point: string) => void
}

const FOLLOW_MS = 1_000
const STATE_FORMAT = 'perennial-state/1'

export async function openFunding(services: Services, deps: FundingDeps): Promise<Funding> {
  const { config, database, events, clock, diagnostics } = services
  const { ledger, accounts, apps, metering, priceBook } = deps
  const crash = deps.crash ?? (() => {})
  const rails: readonly Rail[] = config.pushButton ? [pushButton] : []
  const contributions = openContribute(services, { ledger, accounts, apps, metering, priceBook, rails, crash })
  const purse = (app: string) =>
    readPurse(
      { accounts, apps, metering, priceBook, split: (id, amount) => contributions.split(id, amount) },
      app,
      clock.now(),
    )
  const lifecycle = await openLifecycle(services, { ledger, accounts, apps, metering, purse, crash })
  const stop = new AbortController()
  let looping: Promise<void> | undefined

  const follow = async (): Promise<void> => {
    await lifecycle.follow()
    await lifecycle.review()
  }

  const openAccounts = async (app: string): Promise<void> => {
    for (const name of [accountOf.purse(app), accountOf.reserve(app), accountOf.clearing(app)]) await accounts.id(name)
  }

  const open = async (app: string): Promise<void> => {
    await openAccounts(app)
    await lifecycle.look(app)
  }

  events.on('deployment-requested', 'funding', ({ app }) => open(app))
  // The log has every state an app came to. The same document again is the same record.
  events.on('state-changed', 'funding-record', async (change) => {
    await ledger.record({
      topic: recordTopic('lifecycle'),
      document: canonicalText({ format: STATE_FORMAT, ...change }),
    })
  })

  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await follow().catch((error: unknown) =>
        diagnostics.warn('the ledger cannot be followed; trying again', { error }),
      )
      await clock.sleep(FOLLOW_MS, stop.signal)
    }
  }

  return {
    purse,
    follow,
    open,
    async contribute(payment) {
      const receipt = await contributions.contribute(payment)
      // The payer sees at once what it did.
      if (!('refusal' in receipt)) await lifecycle.follow()
      return receipt
    },
    async quote({ app, amount }) {
      if (amount <= 0n) return refuse('client-error/invalid-arguments', `${formatExact(amount)} buys nothing.`)
      if (!(await apps.find(app))) return refuse('client-error/not-found', `There is no app ${app} here.`)
      const parts = await contributions.split(app, amount)
      const { spending, liquid, smallest } = await purse(app)
      return {
        amount,
        asset: priceBook.asset,
        parts,
        buysMs: lasts(spending, parts.purse),
        runway: runway(spending, liquid + parts.purse),
        minimum: smallest.amount,
      }
    },
    async payerOf(app, what, ceiling = 1n) {
      const name = accountOf.purse(app)
      if ((await accounts.balance(name)).available >= ceiling) return name
      // All that a poor purse has may be on hold for the very run that is asked about.
      if (what === 'run' && metering.heldBy(app, name) > 0n) return name
      if (what === 'run') return (await lifecycle.runsOnAllowance(app)) ? ALLOWANCE : null
      const allowed = await metering.allowanceForBuild(app)
      const enough = (await accounts.balance(ALLOWANCE)).available >= (allowed < ceiling ? allowed : ceiling)
      return allowed > 0n && enough ? ALLOWANCE : null
    },
    async contributions({ app, limit }) {
      const rows = await listContributions(database, app ?? null, limit)
      const money = new Map(
        (await moneyOf(database, [...new Set(rows.map((row) => row.app))])).map((row) => [row.app, row]),
      )
      return rows.map((row) => {
        const known = money.get(row.app)
        const dearest = known
          ? { cost: known.dearCost, days: known.dearDays }
          : { cost: metering.maxBurn.run * 24n, days: 1 }
        return { ...row, buysMs: lasts({ dearest }, row.purse) }
      })
    },
    countContributions: (app) => countContributions(database, app),
    days: (app, count) => daysOf({ database, metering }, app, { now: clock.now(), count }),
    balances: (app, since) => pointsOf(database, app, since),
    sparks: (ids, count) => sparksOf(database, ids, { now: clock.now(), count }),
    almanac: (limit) => soonest(database, limit),
    money: (ids) => moneyOf(database, ids),
    async totals() {
      const [sums, paid, spent, commons, allowance] = await Promise.all([
        sumMoney(database),
        sumContributions(database),
        accounts.balance(accountOf.provider(metering.provider)),
        accounts.balance(COMMONS),
        accounts.balance(ALLOWANCE),
      ])
      const { costPerDay, ...counted } = sums
      return {
        asset: priceBook.asset,
        ...counted,
        costPerHour: costPerDay / 24n,
        paidIn: paid.amount,
        spent: spent.balance,
        toCommons: paid.commons,
        commons: commons.balance,
        allowance: allowance.available,
        allowancePerApp: allowancePerApp(priceBook),
      }
    },
    async fillAllowance() {
      const [rail] = rails
      if (!rail || config.allowance <= 0n) return
      const [debit, credit] = [await accounts.id(accountOf.rail(rail.name)), await accounts.id(ALLOWANCE)]
      const id = deriveId('allowance-fill', rail.name)
      const [result] = await ledger.post({
        id,
        debit,
        credit,
        amount: config.allowance,
        code: transferCode('allowance-fill'),
      })
      if (result && (succeeded(result) || result.status === 'exists-differently')) return
      throw new Error(`the ledger answered ${result?.status} when the allowance was filled`)
    },
    exhausted: (app, sentence) => lifecycle.exhausted(app, sentence),
    async recover() {
      await ledger.record({ topic: recordTopic('price-book'), document: formatPriceBook(priceBook) })
      await contributions.recover()
      await follow()
    },
    start() {
      looping ??= loop()
    },
    async close() {
      stop.abort()
      await looping
    },
  }
}
