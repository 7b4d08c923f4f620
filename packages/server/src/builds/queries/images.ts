/** SQL of release images: who keeps which. */
import type { Queryable } from '../../database.ts'

const UNFINISHED = `status in ('waiting', 'fetching', 'building', 'starting')`

/** From here on the image that a deployment packed is not taken for one that nobody needs. */
export async function notePacked(on: Queryable, deployment: string, sha256: string): Promise<void> {
  await on.query('update deployment set image = $2 where id = $1', [deployment, sha256])
}

/**
 * Each app's images beyond its newest `newest` are marked as removed, in one statement, so that everything that may
 * need one is seen at one moment: the release that the app runs, a deployment that is not decided, and `running`.
 */
export async function markRemoved(
  on: Queryable,
  { newest, running, at }: { newest: number; running: readonly string[]; at: Date },
): Promise<void> {
  await on.query(
    `with image as (
       select app, sha256, row_number() over (partition by app order by max(number) desc) as place
         from release where removed_at is null group by app, sha256
     )
     update release set removed_at = $1
       from image join app on app.id = image.app
      where release.app = image.app and release.sha256 = image.sha256 and release.removed_at is null
        and image.place > $2
        and image.sha256 is distinct from app.release
        and image.sha256 <> all($3)
        and not exists (
          select from deployment left join release as made on made.deployment = deployment.id
           where deployment.app = image.app and deployment.${UNFINISHED}
             and image.sha256 in (deployment.image, made.sha256))`,
    [at, newest, running],
  )
}

/** Of these images on disk, those that no app keeps, no deployment is about to announce, and nothing runs. */
export async function unneeded(
  on: Queryable,
  images: readonly string[],
  running: readonly string[],
): Promise<string[]> {
  const rows = await on.query<{ sha256: string }>(
    `select disk.sha256 from unnest($1::text[]) as disk (sha256)
      where disk.sha256 <> all($2)
        and not exists (select from release where release.sha256 = disk.sha256 and removed_at is null)
        and not exists (select from deployment where image = disk.sha256 and ${UNFINISHED})`,
    [images, running],
  )
  return rows.map(({ sha256 }) => sha256)
}

/**
 * Bytes on disk of each app's images, those about to be announced included. One that was built twice is there once;
 * one that two apps keep is paid by both.
 */
export async function bytesKept(on: Queryable, app?: string): Promise<Map<string, number>> {
  const rows = await on.query<{ app: string; bytes: bigint }>(
    `select app, coalesce(sum(size_bytes) filter (where kept), 0)::bigint as bytes
       from (select distinct app, sha256, size_bytes, removed_at is null as kept from release
              where $1::uuid is null or app = $1
              union
             select app, outcome ->> 'sha256', (outcome ->> 'sizeBytes')::bigint, true from deployment
              where status in ('waiting', 'fetching', 'building') and outcome ->> 'kind' = 'built'
                and ($1::uuid is null or app = $1)) as image
      group by app`,
    [app ?? null],
  )
  return new Map(rows.map((row) => [row.app, Number(row.bytes)]))
}
