/** Runway in words: the days between which the money ends, and how many those are. */
import { day, DAY_MS, NBSP, range } from '../format.ts'
import { html, type Html } from '../html.ts'
import type { AppSummary, Runway } from '../views.ts'

/** Further ahead than this nobody promises a day. */
const MONTHS_SHOWN = 24

/** Nobody has paid yet, or nothing of it is left, and it runs all the same: on what the node gives to new apps. */
export function isGranted({ state, purse, reserve }: Pick<AppSummary, 'state' | 'purse' | 'reserve'>): boolean {
  return state !== 'frozen' && state !== 'archived' && purse === 0n && reserve === 0n
}

/** Nothing was ever built of it and nobody has paid: there is nothing yet whose end could be told. */
export function isUnborn(app: Pick<AppSummary, 'state' | 'purse' | 'reserve' | 'activity'>): boolean {
  return app.activity === 'none' && isGranted(app)
}

/** How an app's money stands, in a few words: for titles, badges and announcements. */
export function standingWords(
  app: Pick<AppSummary, 'state' | 'stateSince' | 'purse' | 'reserve' | 'runway'>,
  now: Date,
): string {
  if (app.state === 'frozen' || app.state === 'archived') return `not paid for since ${day(app.stateSince)}`
  return isGranted(app) ? 'not paid yet' : `paid until ${paidUntil(app.runway, now)}`
}

/** `12 Jan – 7 Feb 2027`, `after 21 Nov 2028`, `no end in sight`. */
export function paidUntil({ earliest, latest }: Runway, now: Date): string {
  if (earliest === null) return 'no end in sight'
  const limit = horizon(now)
  if (earliest >= limit) return `after ${day(limit)}`
  if (latest === null || latest >= limit) return `after ${day(earliest)}`
  return range(earliest, latest)
}

/** `52–78 days`, `2 years +` */
export function daysLeft({ earliest, latest }: Runway, now: Date): string {
  if (earliest === null || earliest >= horizon(now)) return `2${NBSP}years +`
  const from = wholeDays(earliest, now)
  const to = latest === null || latest >= horizon(now) ? null : wholeDays(latest, now)
  if (to === null) return `${from}${NBSP}days +`
  if (to === 0) return 'under a day'
  if (from === to) return `${from}${NBSP}${from === 1 ? 'day' : 'days'}`
  return `${from}–${to}${NBSP}days`
}

/** Why these dates: what a reader needs to believe them. */
export function runwayBasis(runway: Runway, now: Date): string {
  if (runway.earliest === null) return 'It costs nothing yet.'
  const basis = runway.estimate
    ? 'estimate, from its highest possible cost to its cost when idle, until seven days of use are known.'
    : 'at the cost of the dearest and of the cheapest week lately.'
  return `${daysLeft(runway, now)}, ${basis} Only money already paid counts.`
}

export function runwayTime(runway: Runway, now: Date): Html {
  const machine = runway.earliest?.toISOString().slice(0, 10)
  const text = paidUntil(runway, now)
  return machine ? html`<time datetime="${machine}">${text}</time>` : html`${text}`
}

function wholeDays(date: Date, now: Date): number {
  return Math.max(0, Math.floor((date.getTime() - now.getTime()) / DAY_MS))
}

function horizon(now: Date): Date {
  const date = new Date(now)
  date.setUTCMonth(date.getUTCMonth() + MONTHS_SHOWN)
  return date
}
