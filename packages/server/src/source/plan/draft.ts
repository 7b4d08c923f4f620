/** What a kind of app makes of a repository, before what every kind has is added: processes, settings, data. */
import type { Look } from './look.ts'
import type { Plan } from './plan.ts'

/** What the repository's own words ask for, whatever kind it is. */
export interface Wanted {
  /** Command lines by process, as Procfile and perennial.json have them. */
  readonly processes: ReadonlyMap<string, string>
  /** For people: which of the two names the web process. */
  readonly webFrom: 'Procfile' | 'perennial.json'
  /** Command lines that run at other times: cron, after the first deployment. */
  readonly others: readonly string[]
  readonly build: string | null
  /** A folder that is a site. */
  readonly site: string | null
  readonly node: string | null
}

export interface Draft extends Pick<
  Plan,
  'kind' | 'buildImage' | 'runImage' | 'steps' | 'web' | 'packPath' | 'cwd' | 'env' | 'sentence' | 'notes' | 'cache'
> {
  /** A command line as an argument vector, as this kind runs it. */
  readonly run: (line: string) => readonly string[]
}

/** Where it is looked for. */
export interface Ground {
  /** The folder that is wanted. */
  readonly look: Look
  /** The repository's top; the same if no other folder is wanted. */
  readonly top: Look
  /** Below the top; empty: the top itself. */
  readonly root: string
  readonly wanted: Wanted
}
