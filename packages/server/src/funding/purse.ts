/** What an app has, what it costs and how long that lasts: read from the books, now. */
import { MIN_PAYMENT, reserveTarget, type Micros, type PriceBook, type Runway } from '@perennial/protocol'
import type { Apps } from '../apps/index.ts'
import { accountOf, type Accounts, type Metering } from '../metering/index.ts'
import { HISTORY_DAYS, lasts, runway, spendingOf, type Spending } from './spending.ts'

const DAY_MS = 86_400_000

export interface Purse {
  readonly asset: string
  /** All that is in the purse, what is held included. */
  readonly balance: Micros
  readonly held: Micros
  /** What can still be spent or held. */
  readonly available: Micros
  readonly reserve: Micros
  readonly reserveTarget: Micros
  /** Money above the reserve; the purse's balance. */
  readonly liquid: Micros
  /** Metered and not yet posted: a projection. */
  readonly unposted: Micros
  /** Until when charges are on the ledger; null: none yet. */
  readonly chargedTo: Date | null
  readonly maxBurnPerHour: Micros
  readonly idlePerHour: Micros
  /** Mean of the last 30 days; null: nothing was charged yet. */
  readonly costPerDay: Micros | null
  readonly runway: Runway
  readonly spending: Spending
  /** The smallest payment; it always thaws, for so long at least (null: longer than anyone plans). */
  readonly smallest: { readonly amount: Micros; readonly buysMs: number | null }
}

export interface PurseDeps {
  readonly accounts: Accounts
  readonly apps: Pick<Apps, 'history'>
  readonly metering: Pick<Metering, 'days' | 'kept' | 'chargedTo' | 'projection' | 'maxBurn'>
  readonly priceBook: PriceBook
  readonly split: (app: string, amount: Micros) => Promise<{ purse: Micros }>
}

export async function readPurse(
  { accounts, apps, metering, priceBook, split }: PurseDeps,
  app: string,
  now: Date,
): Promise<Purse> {
  const [purse, reserve, changes, days, kept, chargedTo] = await Promise.all([
    accounts.balance(accountOf.purse(app)),
    accounts.balance(accountOf.reserve(app)),
    apps.history(app),
    metering.days([app], new Date(now.getTime() - HISTORY_DAYS * DAY_MS)),
    metering.kept([app]),
    metering.chargedTo([app]),
  ])
  const keptBytes = kept.get(app) ?? 0n
  const maxBurnPerHour = metering.maxBurn.run
  const spending = spendingOf(priceBook, { now, changes, days, maxBurnPerHour, keptBytes })
  const smallest = await split(app, MIN_PAYMENT)
  return {
    asset: priceBook.asset,
    ...purse,
    reserve: reserve.balance,
    reserveTarget: reserveTarget(priceBook, keptBytes),
    liquid: purse.balance,
    unposted: metering.projection(app).unposted,
    chargedTo: chargedTo.get(app) ?? null,
    maxBurnPerHour,
    idlePerHour: spending.idlePerHour,
    costPerDay: spending.costPerDay,
    runway: runway(spending, purse.balance),
    spending,
    smallest: { amount: MIN_PAYMENT, buysMs: lasts(spending, smallest.purse) },
  }
}
