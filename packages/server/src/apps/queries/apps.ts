/** SQL of app rows and their public history. */
import type { State } from '@perennial/protocol'
import type { Queryable } from '../../database.ts'
import type { App, Change, NewApp } from '../apps.ts'

const COLUMNS = `id, slug, url, forge, owner, name, root, ref, description, created_by as "createdBy",
  created_at as "createdAt", state, state_since as "stateSince", stopped, release, release_number as "releaseNumber"`

/** The row, or nothing when the slug, or the url's folder, is taken. */
export async function insertApp(on: Queryable, app: NewApp): Promise<App | undefined> {
  const rows = await on.query<App>(
    `insert into app (id, slug, url, forge, owner, name, ref, created_by, created_at, state, state_since, root)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $11)
     on conflict do nothing returning ${COLUMNS}`,
    [
      app.id,
      app.slug,
      app.url,
      app.forge,
      app.owner,
      app.name,
      app.ref,
      app.createdBy,
      app.createdAt,
      app.state,
      app.root,
    ],
  )
  return rows[0]
}

export async function appByOrigin(
  on: Queryable,
  { url, root }: { url: string; root: string },
): Promise<App | undefined> {
  return (await on.query<App>(`select ${COLUMNS} from app where url = $1 and root = $2`, [url, root]))[0]
}

export async function appBySlug(on: Queryable, slug: string): Promise<App | undefined> {
  return (await on.query<App>(`select ${COLUMNS} from app where slug = $1`, [slug]))[0]
}

export async function appById(on: Queryable, id: string): Promise<App | undefined> {
  return (await on.query<App>(`select ${COLUMNS} from app where id = $1`, [id]))[0]
}

export async function newestApps(on: Queryable, limit: number, before: Date): Promise<App[]> {
  return on.query<App>(`select ${COLUMNS} from app where created_at < $2 order by created_at desc limit $1`, [
    limit,
    before,
  ])
}

export async function appsById(on: Queryable, ids: readonly string[]): Promise<App[]> {
  return on.query<App>(`select ${COLUMNS} from app where id = any($1)`, [ids])
}

export async function allAppIds(on: Queryable): Promise<string[]> {
  return (await on.query<{ id: string }>('select id from app order by created_at')).map((row) => row.id)
}

/** The state before, or nothing when it already was that state. Locks the row until the transaction ends. */
export async function updateState(
  on: Queryable,
  change: { app: string; state: State; at: Date; sentence: string },
): Promise<State | undefined> {
  // No key: whoever stores a charge, a payment or a line of this app meanwhile need not wait for its state, nor the
  // other way round. With several apps in one transaction each, the two could wait for each other.
  const [before] = await on.query<{ state: State }>('select state from app where id = $1 for no key update', [
    change.app,
  ])
  if (before === undefined || before.state === change.state) return undefined
  await on.query('update app set state = $2, state_since = $3 where id = $1', [change.app, change.state, change.at])
  await insertChange(on, change)
  return before.state
}

export async function insertChange(
  on: Queryable,
  change: { app: string; state: State; at: Date; sentence: string },
): Promise<void> {
  await on.query('insert into app_change (app, at, state, sentence) values ($1, $2, $3, $4)', [
    change.app,
    change.at,
    change.state,
    change.sentence,
  ])
}

/** Of each app the newest `kept`. */
export async function forgetChanges(on: Queryable, kept: number): Promise<void> {
  await on.query(
    `delete from app_change using (select id, row_number() over (partition by app order by id desc) as place from app_change) as old
      where app_change.id = old.id and old.place > $1`,
    [kept],
  )
}

/** Oldest first. */
export async function changesOf(on: Queryable, app: string): Promise<Change[]> {
  return on.query<Change>('select at, state, sentence from app_change where app = $1 order by id', [app])
}

export async function updateRelease(
  on: Queryable,
  app: string,
  { sha256, number }: { sha256: string; number: number },
): Promise<void> {
  await on.query('update app set release = $2, release_number = $3 where id = $1', [app, sha256, number])
}

export async function updateRef(on: Queryable, app: string, ref: string | null): Promise<void> {
  await on.query('update app set ref = $2 where id = $1', [app, ref])
}

export async function updateStopped(on: Queryable, app: string, stopped: boolean): Promise<void> {
  await on.query('update app set stopped = $2 where id = $1', [app, stopped])
}

export async function updateAbout(
  on: Queryable,
  about: { app: string; description: string | null; ref: string | null },
): Promise<void> {
  await on.query('update app set description = $2, ref = $3 where id = $1', [about.app, about.description, about.ref])
}
