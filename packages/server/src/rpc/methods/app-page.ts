/** All that is public about one app, put together from its record, its books, its builds and what runs. */
import { METERS, type Meter, type Micros } from '@perennial/protocol'
import { appLimits, type App as Record } from '../../apps/index.ts'
import type { DayMoney, Point } from '../../funding/index.ts'
import { accountOf } from '../../metering/index.ts'
import type { Call } from '../call.ts'
import type { House } from '../house.ts'
import type { App, Offer } from '../shapes.ts'
import { isAdmin } from '../stations/may.ts'
import { deploymentOf } from './deployment.ts'
import { seconds } from './find.ts'
import { summaryOf } from './summary.ts'

const DAY_MS = 86_400_000
const MEAN_DAYS = 30
const HISTORY_DAYS = 60
const SHOWN_PAYMENTS = 20
const SHOWN_RELEASES = 10
const RESERVE_ROWS = 500

const UNIT = 1_000_000n
const OFFERS = [5n, 10n, 25n, 50n].map((units) => units * UNIT)
/** What brings a frozen app back may be less. */
const THAWING = [2n, 5n, 10n, 25n].map((units) => units * UNIT)

export async function appPage(app: Record, { at, caller }: Pick<Call, 'at' | 'caller'>, house: House): Promise<App> {
  const { funding, builds, hosting, apps } = house
  const { id } = app
  const since = new Date(at.getTime() - HISTORY_DAYS * DAY_MS)
  const resting = app.state === 'frozen' || app.state === 'archived'
  const [
    shown,
    purse,
    days,
    points,
    reserve,
    counted,
    contributions,
    releases,
    latest,
    instances,
    changes,
    offers,
    mayAdminister,
  ] = await Promise.all([
    summaryOf(app, house),
    funding.purse(id),
    funding.days(id, MEAN_DAYS),
    funding.balances(id, since),
    reservePoints(id, since, house),
    funding.countContributions(id),
    funding.contributions({ app: id, limit: SHOWN_PAYMENTS }),
    builds.releases(id, SHOWN_RELEASES),
    builds.latest(id),
    hosting.instances(id),
    apps.history(id),
    offersFor(id, resting ? THAWING : OFFERS, house),
    isAdmin({ app: id, did: caller.did, token: caller.adminToken }, house),
  ])
  const used = trimmed(days, app.createdAt)
  return {
    ...shown,
    admin: app.createdBy,
    mayAdminister,
    limits: appLimits(house.config),
    money: {
      reserveTarget: purse.reserveTarget,
      chargedTo: purse.chargedTo,
      unposted: purse.unposted,
      incomePerDay: days.reduce((sum, { income }) => sum + income, 0n) / BigInt(MEAN_DAYS),
      payments: paymentsIn(points, new Date(at.getTime() - MEAN_DAYS * DAY_MS)),
      payers: counted.payers,
      history: together(points, reserve),
      offers,
      minimum: purse.smallest.amount,
    },
    costs: meanDay(days, purse.costPerDay ?? 0n),
    days: used.map(({ day, costs, income }) => ({ day, costs: [...costs], income })),
    deployment: latest === null ? null : deploymentOf(latest, app),
    releases: releases.map(({ number, sha256, commit, sizeBytes, builtAt, removedAt, cost }) => ({
      number,
      sha256,
      commit,
      sizeBytes,
      builtAt,
      removedAt,
      cost,
    })),
    instances: [...instances],
    contributions: contributions.map(({ id: payment, amount, name, at: paidAt }) => ({
      id: payment,
      amount,
      name,
      at: paidAt,
    })),
    changes: changes.map(({ state, at: changedAt, sentence }) => ({ state, at: changedAt, sentence })),
  }
}

async function offersFor(app: string, amounts: readonly Micros[], { funding }: House): Promise<Offer[]> {
  const quotes = await Promise.all(amounts.map((amount) => funding.quote({ app, amount })))
  return quotes.flatMap((quote) =>
    'refusal' in quote ? [] : [{ amount: quote.amount, buysSeconds: seconds(quote.buysMs) }],
  )
}

/** Days before the app was here are left out. */
function trimmed(days: readonly DayMoney[], createdAt: Date): readonly DayMoney[] {
  const first = createdAt.toISOString().slice(0, 10)
  return days.filter(({ day }) => day >= first)
}

/**
 * The mean day by meter: what it cost is the mean that the page states, parted as the days' sums are, and it adds up
 * to that mean to the micro. What it used is the mean of the days on which anything was used.
 */
function meanDay(days: readonly DayMoney[], mean: Micros): App['costs'] {
  const busy = days.filter(({ costs }) => costs.length > 0)
  const sums = METERS.map((meter) => ({ meter, ...sumOf(busy, meter) }))
  const total = sums.reduce((sum, { cost }) => sum + cost, 0n)
  if (total === 0n || busy.length === 0) return []
  const shares = sums.map(({ meter, used, cost }) => ({
    meter,
    used: used / BigInt(busy.length),
    cost: (cost * mean) / total,
  }))
  const missing = mean - shares.reduce((sum, { cost }) => sum + cost, 0n)
  const largest = shares.reduce((most, one) => (one.cost > most.cost ? one : most))
  return shares.map((share) => (share === largest ? { ...share, cost: share.cost + missing } : share))
}

function sumOf(days: readonly DayMoney[], meter: Meter): { used: bigint; cost: Micros } {
  const rows = days.flatMap(({ costs }) => costs.filter((one) => one.meter === meter))
  return rows.reduce((sum, { used, cost }) => ({ used: sum.used + used, cost: sum.cost + cost }), {
    used: 0n,
    cost: 0n,
  })
}

/** A payment is two points at one moment, the second higher. */
function paymentsIn(points: readonly Point[], since: Date): number {
  return points.filter((point, index) => {
    const before = points[index - 1]
    return point.at >= since && before?.at.getTime() === point.at.getTime() && point.balance > before.balance
  }).length
}

/** The reserve over time: what it was at the beginning, and after each row since. */
async function reservePoints(app: string, since: Date, { ledger }: House): Promise<Point[]> {
  const account = await ledger.account(accountOf.reserve(app))
  if (!account) return []
  const rows = await ledger.statement({ account: account.id, newestFirst: true, limit: RESERVE_ROWS })
  const recent = rows.filter(({ at }) => at >= since).toReversed()
  const first = recent[0]
  const opening = first ? first.balance - first.change : account.balance
  return [{ at: since, balance: opening }, ...recent.map(({ at, balance }) => ({ at, balance }))]
}

/** Purse and reserve as one line: each point of either, with what the other had then. */
export function together(purse: readonly Point[], reserve: readonly Point[]): Point[] {
  const moments = [
    ...purse.map((point) => ({ ...point, of: 'purse' as const })),
    ...reserve.map((point) => ({ ...point, of: 'reserve' as const })),
  ]
  let [inPurse, inReserve] = [purse[0]?.balance ?? 0n, reserve[0]?.balance ?? 0n]
  const first = purse[0]?.at.getTime() ?? Number.POSITIVE_INFINITY
  return moments
    .toSorted((a, b) => a.at.getTime() - b.at.getTime())
    .flatMap(({ of, at, balance }) => {
      const before = inPurse + inReserve
      if (of === 'purse') inPurse = balance
      else inReserve = balance
      if (at.getTime() < first) return []
      const after = inPurse + inReserve
      // What comes into the reserve is a step; what the purse pays out is a slope.
      return of === 'reserve' && after > before
        ? [
            { at, balance: before },
            { at, balance: after },
          ]
        : [{ at, balance: after }]
    })
}
