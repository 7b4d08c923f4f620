/** The services every folder is given; who opens them is node.ts. */
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import type { Database } from './database.ts'
import type { Diagnostics } from './diagnostics.ts'
import type { Events } from './events.ts'
import type { Jobs } from './jobs.ts'

export interface Services {
  readonly config: Config
  readonly database: Database
  readonly events: Events
  readonly jobs: Jobs
  readonly clock: Clock
  readonly diagnostics: Diagnostics
}
