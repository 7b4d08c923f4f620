/** What was metered, for pages and runways. */
import { METERS, type Meter, type Micros } from '@perennial/protocol'
import type { Database } from '../database.ts'
import { lastChargeOf, unchargedOf, usageByDay, type DayUsage } from './queries/reports.ts'

export type { DayUsage } from './queries/reports.ts'

export interface MeterSum {
  readonly meter: Meter
  readonly used: bigint
  readonly micros: Micros
}

export interface Reports {
  /** By app, day (UTC) and meter; days and meters without use are left out. */
  days(apps: readonly string[], since: Date): Promise<DayUsage[]>
  /** Each meter's use and cost since then, in the order of METERS. */
  usage(app: string, since: Date): Promise<MeterSum[]>
  /** Until when each app's charges are on the ledger. */
  chargedTo(apps: readonly string[]): Promise<Map<string, Date>>
  /** Used beyond what was held, over all time: nobody pays it. */
  uncharged(app: string): Promise<Micros>
}

export function openReports(database: Database): Reports {
  return {
    days: (apps, since) => usageByDay(database, apps, since),
    async usage(app, since) {
      const days = await usageByDay(database, [app], since)
      return METERS.map((meter) => {
        const rows = days.filter((day) => day.meter === meter)
        const sum = (of: (row: DayUsage) => bigint) => rows.reduce((total, row) => total + of(row), 0n)
        return { meter, used: sum((row) => row.used), micros: sum((row) => row.micros) }
      }).filter(({ used }) => used > 0n)
    },
    chargedTo: (apps) => lastChargeOf(database, apps),
    uncharged: (app) => unchargedOf(database, app),
  }
}
