/** An app's money over time, for charts: day by day, and as points that a payment moves in a step. */
import { METERS, type Meter, type Micros } from '@perennial/protocol'
import type { Database } from '../database.ts'
import type { Metering } from '../metering/index.ts'
import { paymentsSince, purseDays, pursesBefore } from './queries/money.ts'
import { dayText } from './spending.ts'

const DAY_MS = 86_400_000

export interface DayMoney {
  /** 2026-11-21, in UTC. */
  readonly day: string
  /** Meters that cost or counted something, in the order of METERS. */
  readonly costs: readonly { readonly meter: Meter; readonly used: bigint; readonly cost: Micros }[]
  /** What payments brought to purse and reserve. */
  readonly income: Micros
  /** The purse's, at the day's end. */
  readonly balance: Micros
}

export interface Point {
  readonly at: Date
  readonly balance: Micros
}

/** The last `count` days, today included, oldest first; none is left out. */
export async function daysOf(
  { database, metering }: { database: Database; metering: Pick<Metering, 'days'> },
  app: string,
  { now, count }: { now: Date; count: number },
): Promise<DayMoney[]> {
  const first = new Date(now.getTime() - (count - 1) * DAY_MS)
  const [usage, purses, before] = await Promise.all([
    metering.days([app], first),
    purseDays(database, [app], dayText(first)),
    pursesBefore(database, [app], dayText(first)),
  ])
  let balance = before.get(app) ?? 0n
  return daysFrom(first, count).map((day) => {
    const purse = purses.find((row) => row.day === day)
    balance = purse?.balance ?? balance
    const costs = METERS.flatMap((meter) => {
      const row = usage.find((used) => used.day === day && used.meter === meter)
      return row ? [{ meter, used: row.used, cost: row.micros }] : []
    })
    return { day, costs, income: purse?.income ?? 0n, balance }
  })
}

/** The purse's balance at the end of each of the last `count` days, of many apps at once. */
export async function sparksOf(
  database: Database,
  apps: readonly string[],
  { now, count }: { now: Date; count: number },
): Promise<Map<string, Micros[]>> {
  const first = new Date(now.getTime() - (count - 1) * DAY_MS)
  const rows = await purseDays(database, apps, dayText(first))
  const before = await pursesBefore(database, apps, dayText(first))
  const known = new Map(rows.map((row) => [`${row.app} ${row.day}`, row.balance]))
  return new Map(
    apps.map((app) => {
      let balance = before.get(app) ?? 0n
      return [app, daysFrom(first, count).map((day) => (balance = known.get(`${app} ${day}`) ?? balance))]
    }),
  )
}

/** Balance over time, oldest first; a payment is two points at one moment. */
export async function pointsOf(database: Database, app: string, since: Date): Promise<Point[]> {
  const [days, payments] = await Promise.all([
    purseDays(database, [app], dayText(since)),
    paymentsSince(database, app, since),
  ])
  const steps = payments.flatMap(({ at, amount, balance }) => [
    { at, balance: balance - amount },
    { at, balance },
  ])
  // A payment that was a day's last row is that day's point already.
  const ends = days.filter(({ at }) => !payments.some((payment) => payment.at.getTime() === at.getTime()))
  // Sorting keeps the two points of a payment in their order.
  return [...steps, ...ends.map(({ at, balance }) => ({ at, balance }))].toSorted(
    (a, b) => a.at.getTime() - b.at.getTime(),
  )
}

function daysFrom(first: Date, count: number): string[] {
  return Array.from({ length: count }, (_, place) => dayText(new Date(first.getTime() + place * DAY_MS)))
}
