/**
 * How long the money lasts and what that decides: the parts of a payment, the runway as a range of dates, the state.
 *
 * Pure arithmetic over the public books, so that a stranger gets the same dates and states as the node.
 */
import { METERS, type Usage } from './meters.ts'
import { type Micros } from './micros.ts'
import { type PriceBook } from './price-book.ts'
import { rateCeiling } from './rate.ts'

export type State = 'funded' | 'low' | 'thrifty' | 'frozen' | 'archived'

export const COMMONS_PERCENT = 5n
export const LOW_DAYS = 14
export const THRIFTY_DAYS = 3
export const RESERVE_DAYS = 30
/** The smallest payment a node takes, 0.10: half of it thaws a small app for about an hour. */
export const MIN_PAYMENT: Micros = 100_000n

const DAY_MS = 86_400_000
const WEEK_DAYS = 7
const HISTORY_DAYS = 60
/** Beyond this nobody plans: 100 years count as no end. */
const FOREVER_MS = 36_525n * BigInt(DAY_MS)

export interface Parts {
  readonly commons: Micros
  readonly reserve: Micros
  readonly purse: Micros
}

/**
 * Where a payment goes: 5 % to the commons, rounded down; of the rest half to the reserve until that is full,
 * rounded down; all else to the purse. So every payment thaws something. The parts sum to the amount.
 */
export function splitPayment(payment: { amount: Micros; reserve: Micros; reserveTarget: Micros }): Parts {
  const commons = (payment.amount * COMMONS_PERCENT) / 100n
  const rest = payment.amount - commons
  const missing = payment.reserveTarget > payment.reserve ? payment.reserveTarget - payment.reserve : 0n
  const reserve = rest / 2n < missing ? rest / 2n : missing
  return { commons, reserve, purse: rest - reserve }
}

/** 30 days of rent for the bytes an app keeps: what its reserve grows to. */
export function reserveTarget(book: PriceBook, diskBytes: bigint): Micros {
  return rateCeiling({ usage: diskBytes * BigInt(RESERVE_DAYS * DAY_MS), price: book.prices.disk })
}

export interface Runway {
  /** Null: no end, because nothing costs anything. */
  readonly earliest: Date | null
  readonly latest: Date | null
  /** Fewer than 7 days are known, so the range runs from the maximum burn to the idle cost. */
  readonly estimate: boolean
}

export interface Spending {
  /** Money above the reserve: the purse, what it has on hold included. */
  readonly liquid: Micros
  readonly now: Date
  /** Cost of each whole day that it could run on, oldest first; days frozen are left out. */
  readonly dailyCosts: readonly Micros[]
  readonly maxBurnPerHour: Micros
  readonly idlePerHour: Micros
}

/** When the money runs out: at the dearest and at the cheapest weekly mean of the last 60 days. */
export function runwayOf({ liquid, now, dailyCosts, maxBurnPerHour, idlePerHour }: Spending): Runway {
  const weeks = weeklySums(dailyCosts.slice(-HISTORY_DAYS))
  const ends = (cost: Micros, perDays: number) => {
    const lasts = timeFor({ amount: liquid, cost, perDays })
    return lasts === null ? null : new Date(now.getTime() + lasts)
  }
  if (weeks.length === 0) {
    return { earliest: ends(maxBurnPerHour * 24n, 1), latest: ends(idlePerHour * 24n, 1), estimate: true }
  }
  const dearest = weeks.reduce((most, sum) => (sum > most ? sum : most))
  const cheapest = weeks.reduce((least, sum) => (sum < least ? sum : least))
  return { earliest: ends(dearest, WEEK_DAYS), latest: ends(cheapest, WEEK_DAYS), estimate: false }
}

/** How many milliseconds an amount pays for, rounded down; null when that is no end. */
export function timeFor({ amount, cost, perDays }: { amount: Micros; cost: Micros; perDays: number }): number | null {
  if (amount <= 0n) return 0
  if (cost <= 0n) return null
  const lasts = (amount * BigInt(perDays * DAY_MS)) / cost
  return lasts > FOREVER_MS ? null : Number(lasts)
}

/**
 * The state that money decides. The early date decides, but an estimate makes an app `low` at most: its early date
 * assumes the maximum burn day and night, and forcing sleep for a cost that nobody has seen yet would punish the new.
 * An estimate turns `thrifty` by its late date.
 */
export function stateOf(money: { liquid: Micros; runway: Runway; now: Date; archived: boolean }): State {
  if (money.archived) return 'archived'
  if (money.liquid <= 0n) return 'frozen'
  const { earliest, latest, estimate } = money.runway
  const ends = (date: Date | null, days: number) =>
    date !== null && date.getTime() - money.now.getTime() < days * DAY_MS
  if (ends(estimate ? latest : earliest, THRIFTY_DAYS)) return 'thrifty'
  if (ends(earliest, LOW_DAYS)) return 'low'
  return 'funded'
}

export interface Permitted {
  /** Instances may run at all. */
  readonly compute: boolean
  /** Builds, workers and timed jobs. */
  readonly background: boolean
  /** May stay awake while nobody asks for anything. */
  readonly stayAwake: boolean
}

export function permitted(state: State): Permitted {
  const funded = state === 'funded' || state === 'low'
  return { compute: funded || state === 'thrifty', background: funded, stayAwake: funded }
}

/** An app without a release may always build, once the build's ceiling is held. */
export function mayBuild({ state, hasRelease }: { state: State; hasRelease: boolean }): boolean {
  return !hasRelease || permitted(state).background
}

/** Exact cost of a usage that nothing was carried into: for figures on pages, not for charges. */
export function costOf(book: PriceBook, usage: Usage): Micros {
  return METERS.reduce((sum, meter) => {
    const { micros, per } = book.prices[meter]
    return sum + ((usage[meter] ?? 0n) * micros) / per
  }, 0n)
}

/** The cost of each seven days in a row. */
function weeklySums(days: readonly Micros[]): Micros[] {
  const sums: Micros[] = []
  for (let end = WEEK_DAYS; end <= days.length; end++) {
    sums.push(days.slice(end - WEEK_DAYS, end).reduce((sum, cost) => sum + cost, 0n))
  }
  return sums
}
