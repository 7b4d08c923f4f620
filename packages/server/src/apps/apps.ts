/**
 * The record of an app: where it came from, its name, its release, and the state that its money decided.
 *
 * The folder knows neither money nor sandboxes: funding sets the state, builds the release, the admin `stopped`.
 */
import { createHash } from 'node:crypto'
import { newId, UUID, type State } from '@perennial/protocol'
import type { Queryable, Transaction } from '../database.ts'
import type { Services } from '../services.ts'
import {
  allAppIds,
  appById,
  appBySlug,
  appByOrigin,
  appsById,
  changesOf,
  forgetChanges,
  insertApp,
  insertChange,
  newestApps,
  updateAbout,
  updateRef,
  updateRelease,
  updateState,
  updateStopped,
} from './queries/apps.ts'

export interface App {
  readonly id: string
  /** Its host name below the apps domain. */
  readonly slug: string
  readonly url: string
  readonly forge: string
  readonly owner: string
  readonly name: string
  /** The folder of the repository that is the app; empty: its top. With the url it is what the app is. */
  readonly root: string
  /** Branch, tag or commit to follow; null: the repository's default branch. */
  readonly ref: string | null
  readonly description: string | null
  readonly createdBy: string | null
  readonly createdAt: Date
  readonly state: State
  readonly stateSince: Date
  /** By its admin. */
  readonly stopped: boolean
  /** SHA-256 of the release that runs, or ran last, and its number. */
  readonly release: string | null
  readonly releaseNumber: number | null
}

/** What `source` knows of a repository before it is fetched, as far as its app's record needs it. */
export type Origin = Pick<App, 'url' | 'forge' | 'owner' | 'name' | 'slug'> & { readonly root?: string }

export type NewApp = Omit<App, 'description' | 'stateSince' | 'stopped' | 'release' | 'releaseNumber'>

/** A line of the public history. */
export interface Change {
  readonly at: Date
  readonly state: State
  readonly sentence: string
}

export interface Apps {
  /** The repository's app, made in the caller's transaction if there is none. A new one has no money: frozen. */
  create(tx: Transaction, repository: Origin, options: { ref?: string | null; by?: string | null }): Promise<App>
  find(idOrSlug: string): Promise<App | null>
  findByOrigin(origin: Pick<Origin, 'url' | 'root'>): Promise<App | null>
  /** Newest first. Front pages sort by money: funding's `almanac`. */
  list(options?: { limit?: number; before?: Date }): Promise<App[]>
  several(ids: readonly string[]): Promise<App[]>
  ids(): Promise<string[]>
  /** Says so in the history and as event `state-changed`; nothing happens if it already is in that state. */
  setState(tx: Transaction, app: string, state: State, sentence: string): Promise<boolean>
  setRelease(tx: Queryable, app: string, release: { sha256: string; number: number }): Promise<void>
  setStopped(tx: Queryable, app: string, stopped: boolean): Promise<void>
  /** Which branch, tag or commit it follows from now on; null: the repository's default branch. */
  setRef(tx: Queryable, app: string, ref: string | null): Promise<void>
  /** What its repository says of it, and which ref it follows. */
  setAbout(tx: Queryable, about: { app: string; description: string | null; ref: string | null }): Promise<void>
  /** Oldest first. */
  history(app: string): Promise<Change[]>
}

const LONGEST_LABEL = 63
const HASH_LENGTH = 8
const MAX_DESCRIPTION = 350
/** Runways look back 61 days; an app that changes more often than this in them is estimated. */
const KEPT_CHANGES = 1000
const NEW = 'New: nobody has paid for it yet.'

export function openApps({ database, events, clock, jobs }: Services): Apps {
  jobs.daily('app changes: forget', (on) => forgetChanges(on, KEPT_CHANGES))
  return {
    async create(tx, repository, { ref = null, by = null }) {
      const { url, forge, owner, name, root = '' } = repository
      const row = {
        url,
        forge,
        owner,
        name,
        root,
        ref,
        createdBy: by,
        createdAt: clock.now(),
        state: 'frozen' as const,
      }
      for (const slug of [repository.slug, slugOfUrl(repository)]) {
        // Another url may hold the slug, or a concurrent creator may have been first: the rows decide.
        const created = await insertApp(tx, { ...row, id: newId({ nowMs: row.createdAt.getTime() }), slug })
        if (created) {
          await insertChange(tx, { app: created.id, state: row.state, at: row.createdAt, sentence: NEW })
          return created
        }
        const existing = await appByOrigin(tx, { url, root })
        if (existing) return existing
      }
      throw new Error(`the names ${repository.slug} and ${slugOfUrl(repository)} are taken by other repositories`)
    },
    async find(idOrSlug) {
      const found = UUID.test(idOrSlug) ? await appById(database, idOrSlug) : await appBySlug(database, idOrSlug)
      return found ?? null
    },
    findByOrigin: async ({ url, root = '' }) => (await appByOrigin(database, { url, root })) ?? null,
    list: ({ limit = 100, before = new Date(8.64e15) } = {}) => newestApps(database, limit, before),
    several: (ids) => appsById(database, ids),
    ids: () => allAppIds(database),
    async setState(tx, app, state, sentence) {
      const at = clock.now()
      const from = await updateState(tx, { app, state, at, sentence })
      if (from === undefined) return false
      await events.emit(tx, 'state-changed', { app, from, to: state, sentence, at: at.toISOString() })
      return true
    },
    setRelease: (tx, app, release) => updateRelease(tx, app, release),
    setStopped: (tx, app, stopped) => updateStopped(tx, app, stopped),
    setRef: (tx, app, ref) => updateRef(tx, app, ref),
    setAbout: (tx, { app, description, ref }) =>
      updateAbout(tx, { app, ref, description: description === null ? null : description.slice(0, MAX_DESCRIPTION) }),
    history: (app) => changesOf(database, app),
  }
}

/** For the rare repository whose slug another one holds: the same name with a hash of the whole URL. */
function slugOfUrl({ slug, url, root = '' }: Origin): string {
  const hash = createHash('sha256')
    .update(root === '' ? url : `${url}#${root}`)
    .digest('hex')
    .slice(0, HASH_LENGTH)
  return `${slug.slice(0, LONGEST_LABEL - HASH_LENGTH - 1).replace(/-+$/, '')}-${hash}`
}
