/**
 * What deployments leave is forgotten in time, so that a repository that is deployed a thousand times a day fills no
 * table. What was charged stays in the books, which name no deployment.
 */
import type { Database } from '../../database.ts'

const DAY_MS = 86_400_000
/** Of each app these stay, however old. */
const KEPT_DEPLOYMENTS = 100
const KEPT_MS = 90 * DAY_MS
/** The kernel's counts of single sandboxes: their sums stand in the deployment's steps. */
const SANDBOXES_KEPT_MS = 30 * DAY_MS
const AT_ONCE = 1000

export async function forgetDeployments(on: Database, now: Date): Promise<void> {
  const before = (ms: number) => new Date(now.getTime() - ms)
  await on.query(
    `delete from build_sandbox using deployment
      where deployment.id = build_sandbox.deployment and deployment.ended_at < $1 and build_sandbox.removed_at is not null`,
    [before(SANDBOXES_KEPT_MS)],
  )
  while ((await forgetSome(on, before(KEPT_MS))) === AT_ONCE);
}

/** Over, and with no image that is kept. */
async function forgetSome(on: Database, before: Date): Promise<number> {
  return on.transaction(async (tx) => {
    const old = await tx.query<{ id: string }>(
      `select id from (select id, ended_at, status,
                              row_number() over (partition by app order by created_at desc, id desc) as place
                         from deployment) as deployment
        where place > $1 and ended_at < $2 and status in ('failed', 'replaced')
          and not exists (select from release where release.deployment = deployment.id and removed_at is null)
        limit $3`,
      [KEPT_DEPLOYMENTS, before, AT_ONCE],
    )
    const ids = old.map(({ id }) => id)
    for (const table of ['release', 'build_sandbox', 'deployment_step'])
      await tx.query(`delete from ${table} where deployment = any($1)`, [ids])
    await tx.query('delete from deployment where id = any($1)', [ids])
    return ids.length
  })
}
