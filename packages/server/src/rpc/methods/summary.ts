/** What several methods say of an app: who it is, how its money stands, what it does just now. */
import type { Micros, Runway } from '@perennial/protocol'
import type { App as Record } from '../../apps/index.ts'
import type { Activity } from '../../hosting/index.ts'
import type { House } from '../house.ts'
import type { AppSummary, Commit } from '../shapes.ts'

/** Of the books; a purse read now, or a row as of the last look. */
export interface Standing {
  readonly purse: Micros
  readonly reserve: Micros
  readonly costPerDay: Micros | null
  readonly runway: Runway
}

export function summary(
  app: Record,
  { standing, commit, activity }: { standing: Standing; commit: Commit | null; activity: AppSummary['activity'] },
  house: House,
): AppSummary {
  const { id, slug, name, owner, url, root, state, stateSince, stopped, createdAt, description } = app
  const origin = house.origins[0]!
  return {
    id,
    slug,
    name,
    owner,
    description: description ?? '',
    repository: url,
    root,
    commit,
    url: addressOf(slug, house),
    page: `${origin}/${slug}`,
    state,
    stateSince,
    activity,
    stopped,
    createdAt,
    asset: house.priceBook.asset,
    ...standing,
    maxBurnPerHour: house.metering.maxBurn.run,
  }
}

export async function summaryOf(app: Record, house: House): Promise<AppSummary> {
  const [purse, commit, activities] = await Promise.all([
    house.funding.purse(app.id),
    commitOf(app, house),
    house.hosting.activities([app.id]),
  ])
  const standing = { purse: purse.balance, reserve: purse.reserve, costPerDay: purse.costPerDay, runway: purse.runway }
  return summary(app, { standing, commit, activity: activityOf(app, activities) }, house)
}

/** Where the app answers: its name below the apps' domain, on the port that everything is on. */
export function addressOf(slug: string, { config, origins }: Pick<House, 'config' | 'origins'>): string {
  const { protocol, port } = new URL(origins[0]!)
  return `${protocol}//${slug}.${config.appsDomain}${port === '' ? '' : `:${port}`}`
}

/** The commit of the release that runs, or ran last. */
export async function commitOf(app: Record, { builds }: Pick<House, 'builds'>): Promise<Commit | null> {
  const found = await builds.current(app)
  return found === null ? null : { hash: found.commit, subject: found.subject, at: found.committedAt }
}

/** An app whose money lets it run and that has no instance just now is asleep: a request starts one. */
export function activityOf(app: Record, activities: ReadonlyMap<string, Activity>): Activity {
  if (app.stopped) return 'stopped'
  const activity = activities.get(app.id) ?? 'none'
  const couldRun = app.release !== null && app.state !== 'frozen' && app.state !== 'archived'
  return activity === 'none' && couldRun ? 'asleep' : activity
}
