/** SQL of releases. */
import type { Queryable } from '../../database.ts'
import { completePlan } from '../../source/index.ts'
import type { Release } from '../deployment.ts'

const SELECT = `select r.deployment, r.app, r.number, r.sha256, r.size_bytes as "sizeBytes", r.commit, d.subject, d.committed_at as "committedAt", r.plan, r.receipt,
    r.built_at as "builtAt", r.removed_at as "removedAt", r.config_version as "configVersion", coalesce(d.cost, 0) as cost
  from release r join deployment d on d.id = r.deployment`

type Row = Omit<Release, 'sizeBytes'> & { sizeBytes: bigint }

/** It runs with the settings as they are now. */
export async function insertRelease(
  on: Queryable,
  release: Omit<Release, 'number' | 'cost' | 'subject' | 'committedAt' | 'removedAt' | 'configVersion'>,
): Promise<void> {
  // The deployment's app is locked first: two releases of one app never take the same number.
  await on.query('select from app where id = $1 for no key update', [release.app])
  // An image that was removed and has been built again is kept again, whatever its earlier releases are called.
  await on.query('update release set removed_at = null where app = $1 and sha256 = $2 and removed_at is not null', [
    release.app,
    release.sha256,
  ])
  await on.query(
    `insert into release (deployment, app, number, sha256, size_bytes, commit, plan, receipt, built_at, config_version)
     select $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6, $7, $8,
            coalesce((select version from config where app = $2), 0)
       from release where app = $2
     on conflict (deployment) do nothing`,
    [
      release.deployment,
      release.app,
      release.sha256,
      release.sizeBytes,
      release.commit,
      JSON.stringify(release.plan),
      release.receipt,
      release.builtAt,
    ],
  )
}

export async function releaseOfDeployment(on: Queryable, deployment: string): Promise<Release | undefined> {
  return (await read(on, 'where r.deployment = $1', [deployment]))[0]
}

/** The app's release, by number, and the number of the last change of its settings. */
export async function settled(on: Queryable, app: string): Promise<{ release: number | null; config: number }> {
  const [row] = await on.query<{ release: number | null; config: number }>(
    `select release_number as release, coalesce((select version from config where app = $1), 0) as config
       from app where id = $1`,
    [app],
  )
  return row ?? { release: null, config: 0 }
}

export async function releaseByNumber(on: Queryable, app: string, number: number): Promise<Release | undefined> {
  return (await read(on, 'where r.app = $1 and r.number = $2', [app, number]))[0]
}

/** The newest before this one that has another image, and has it still. */
export async function releaseBefore(on: Queryable, app: string, number: number): Promise<Release | undefined> {
  const other = `where r.app = $1 and r.number < $2 and r.removed_at is null
    and r.sha256 <> (select sha256 from release where app = $1 and number = $2) order by r.number desc limit 1`
  return (await read(on, other, [app, number]))[0]
}

/** Newest first. */
export async function releasesOfApp(on: Queryable, app: string, limit: number): Promise<Release[]> {
  return read(on, 'where r.app = $1 order by r.number desc limit $2', [app, limit])
}

async function read(on: Queryable, where: string, values: readonly unknown[]): Promise<Release[]> {
  const rows = await on.query<Row>(`${SELECT} ${where}`, values)
  return rows.map((row) => ({ ...row, sizeBytes: Number(row.sizeBytes), plan: completePlan(row.plan) }))
}
