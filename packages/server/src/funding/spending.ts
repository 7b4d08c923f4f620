/**
 * What an app usually costs and how long its money lasts: from the books of its past days, by protocol's arithmetic.
 *
 * Only days on which it could run all day count: not today, and none in which it was frozen. Before seven such days
 * are known, everything is an estimate between the maximum burn and the cost of lying idle.
 */
import { costOf, HOUR_MS, runwayOf, timeFor, type Micros, type PriceBook, type Runway } from '@perennial/protocol'
import type { Change } from '../apps/index.ts'
import type { DayUsage } from '../metering/index.ts'

const DAY_MS = 86_400_000
/** As far back as a runway looks, and today. */
export const HISTORY_DAYS = 61
const MEAN_DAYS = 30
const WEEK = 7
/** What a small program holds in memory while it waits, when no app of ours has told yet. */
const IDLE_MEMORY_BYTES = 64n * 1024n * 1024n

export interface Past {
  readonly now: Date
  /** Its state changes, oldest first. */
  readonly changes: readonly Change[]
  readonly days: readonly DayUsage[]
  readonly maxBurnPerHour: Micros
  /** On disk. */
  readonly keptBytes: bigint
}

export interface Spending {
  readonly now: Date
  /** Of whole days on which it could run, oldest first. */
  readonly dailyCosts: readonly Micros[]
  readonly maxBurnPerHour: Micros
  readonly idlePerHour: Micros
  /** Mean of the last 30 of those days; null before anything was charged. */
  readonly costPerDay: Micros | null
  /** The dearest rate that is known, by which a payment is told what it buys: this much in `days` days. */
  readonly dearest: { readonly cost: Micros; readonly days: number }
}

export function spendingOf(book: PriceBook, past: Past): Spending {
  const { now, maxBurnPerHour } = past
  const dailyCosts = costsOfWholeDays(past)
  const recent = dailyCosts.slice(-MEAN_DAYS)
  const today = past.days.filter(({ day }) => day === dayText(now))
  const idlePerHour = costOf(book, {
    memory: IDLE_MEMORY_BYTES * BigInt(HOUR_MS),
    disk: past.keptBytes * BigInt(HOUR_MS),
  })
  return {
    now,
    dailyCosts,
    maxBurnPerHour,
    idlePerHour,
    costPerDay:
      recent.length > 0
        ? sum(recent) / BigInt(recent.length)
        : today.length > 0
          ? sum(today.map(({ micros }) => micros))
          : null,
    dearest: dearestWeek(dailyCosts) ?? { cost: maxBurnPerHour * 24n, days: 1 },
  }
}

export function runway(spending: Spending, liquid: Micros): Runway {
  return runwayOf({ ...spending, liquid })
}

/** How long the purse's part of a payment lasts, in milliseconds, rounded down; null: longer than anyone plans. */
export function lasts({ dearest }: Pick<Spending, 'dearest'>, amount: Micros): number | null {
  return timeFor({ amount, cost: dearest.cost, perDays: dearest.days })
}

function costsOfWholeDays({ now, changes, days }: Past): Micros[] {
  const costs = new Map<string, Micros>()
  for (const { day, micros } of days) costs.set(day, (costs.get(day) ?? 0n) + micros)
  const first = days.reduce((least, { day }) => (day < least ? day : least), dayText(now))
  const whole: Micros[] = []
  const todayMs = Math.floor(now.getTime() / DAY_MS) * DAY_MS
  for (let ms = todayMs - (HISTORY_DAYS - 1) * DAY_MS; ms < todayMs; ms += DAY_MS) {
    const day = dayText(new Date(ms))
    if (day >= first && ranAllDay(changes, ms)) whole.push(costs.get(day) ?? 0n)
  }
  return whole
}

/** Whether it was in no state without compute between this midnight and the next. */
function ranAllDay(changes: readonly Change[], fromMs: number): boolean {
  let before: Change | undefined
  for (const change of changes) {
    const at = change.at.getTime()
    if (at >= fromMs + DAY_MS) break
    if (at > fromMs && off(change)) return false
    if (at <= fromMs) before = change
  }
  return before !== undefined && !off(before)
}

function off({ state }: Change): boolean {
  return state === 'frozen' || state === 'archived'
}

function dearestWeek(days: readonly Micros[]): { cost: Micros; days: number } | null {
  let dearest: Micros | null = null
  for (let end = WEEK; end <= days.length; end++) {
    const week = sum(days.slice(end - WEEK, end))
    if (dearest === null || week > dearest) dearest = week
  }
  return dearest === null ? null : { cost: dearest, days: WEEK }
}

function sum(amounts: readonly Micros[]): Micros {
  return amounts.reduce((total, amount) => total + amount, 0n)
}

/** 2026-11-21, in UTC. */
export function dayText(date: Date): string {
  return date.toISOString().slice(0, 10)
}
