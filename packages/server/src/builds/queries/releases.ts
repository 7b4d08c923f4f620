/** SQL of releases. */
import type { Queryable } from '../../database.ts'
import { completePlan } from '../../source/index.ts'
import type { Release } from '../deployment.ts'

const SELECT = `select r.deployment, r.app, r.number, r.sha256, r.size_bytes as "sizeBytes", r.commit, d.subject, d.committed_at as "committedAt", r.plan, r.receipt,
    r.built_at as "builtAt", r.removed_at as "removedAt", coalesce(d.cost, 0) as cost
  from release r join deployment d on d.id = r.deployment`

type Row = Omit<Release, 'sizeBytes'> & { sizeBytes: bigint }

export async function insertRelease(
  on: Queryable,
  release: Omit<Release, 'number' | 'cost' | 'subject' | 'committedAt' | 'removedAt'>,
): Promise<void> {
  // The deployment's app is locked first: two releases of one app never take the same number.
  await on.query('select from app where id = $1 for no key update', [release.app])
  // An image that was removed and has been built again is kept again, whatever its earlier releases are called.
  await on.query('update release set removed_at = null where app = $1 and sha256 = $2 and removed_at is not null', [
    release.app,
    release.sha256,
  ])
  await on.query(
    `insert into release (deployment, app, number, sha256, size_bytes, commit, plan, receipt, built_at)
     select $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6, $7, $8 from release where app = $2
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

/** The newest of the app with this image. */
export async function releaseOfApp(on: Queryable, app: string, sha256: string): Promise<Release | undefined> {
  return (await read(on, 'where r.app = $1 and r.sha256 = $2 order by r.number desc limit 1', [app, sha256]))[0]
}

/** Newest first. */
export async function releasesOfApp(on: Queryable, app: string, limit: number): Promise<Release[]> {
  return read(on, 'where r.app = $1 order by r.number desc limit $2', [app, limit])
}

async function read(on: Queryable, where: string, values: readonly unknown[]): Promise<Release[]> {
  const rows = await on.query<Row>(`${SELECT} ${where}`, values)
  return rows.map((row) => ({ ...row, sizeBytes: Number(row.sizeBytes), plan: completePlan(row.plan) }))
}
