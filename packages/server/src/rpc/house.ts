/** What handlers may ask of the node. node.ts fills it; a station never sees more of it than `StationHouse`. */
import type { AppConfig, Apps, Logs } from '../apps/index.ts'
import type { Builds } from '../builds/index.ts'
import type { Funding } from '../funding/index.ts'
import type { Data, Hosting } from '../hosting/index.ts'
import type { Metering } from '../metering/index.ts'
import type { Services } from '../services.ts'
import type { Downloads } from './downloads.ts'
import type { StationHouse } from './passage.ts'

export interface House extends StationHouse, Services {
  readonly apps: Apps
  readonly logs: Logs
  readonly settings: Pick<AppConfig, 'list' | 'version' | 'set' | 'unset' | 'rotate'>
  readonly data: Pick<Data, 'backups' | 'restores'>
  readonly downloads: Downloads
  readonly metering: Pick<Metering, 'maxBurn' | 'usage'>
  readonly funding: Pick<
    Funding,
    | 'open'
    | 'contribute'
    | 'quote'
    | 'purse'
    | 'contributions'
    | 'countContributions'
    | 'days'
    | 'balances'
    | 'sparks'
    | 'almanac'
    | 'totals'
  >
  readonly builds: Pick<
    Builds,
    'ceiling' | 'request' | 'deployment' | 'latest' | 'releases' | 'current' | 'release' | 'reconfigured' | 'rollBack'
  >
  readonly hosting: Pick<Hosting, 'instances' | 'activities' | 'runs'> & {
    /** After its record says so: stops what runs, and leaves the activator to say why. */
    stop(app: string): Promise<void>
    /** After its record says so: runs it, if its money lets it. */
    start(app: string): Promise<void>
  }
  /** How strongly apps are kept apart: `shared-kernel`. */
  readonly isolation: string
}
