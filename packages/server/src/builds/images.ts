/**
 * Release images on disk: packed by builds, paid for by the apps that keep them, removed when nobody needs them.
 *
 * An app keeps the release that it runs and its newest three. For what it keeps no more it first stops paying, then
 * the file goes: marked → uncharged → removed. A kill in between leaves a file that nobody pays for, which the next
 * look removes. Packing and removing take turns: a build may make anew the very image that is about to go.
 */
import type { SandboxClient } from '@perennial/sandbox/client'
import { SandboxRefused } from '@perennial/sandbox/client'
import type { Metering } from '../metering/index.ts'
import { serial } from '../serial.ts'
import type { Services } from '../services.ts'
import { bytesKept, markRemoved, notePacked, unneeded } from './queries/images.ts'

/** Enough to go back past a bad release, and past a bad attempt to mend it. */
export const KEPT_RELEASES = 3
const JOB = 'release-images'

export interface ImagesDeps {
  readonly sandbox: SandboxClient
  readonly meter: Pick<Metering, 'keep' | 'kept'>
  /** SHA-256 of the releases that instances run now; hosting knows. */
  readonly inUse: () => Promise<readonly string[]>
  /** For tests: called between any two steps that a kill may separate. */
  readonly crash: (point: string) => void
}

export interface Images {
  /** Packs a folder of a scratch disk as the image of a deployment. */
  pack(source: { deployment: string; scratch: string; path: string | null }): ReturnType<SandboxClient['pack']>
  /** Charges the app from now on for what it keeps. */
  charge(app: string): Promise<void>
  /** Removes what nobody needs, as it is done each day and at each start. */
  tidySoon(on: Parameters<Services['jobs']['enqueue']>[0]): Promise<void>
}

export function openImages(
  { database, clock, diagnostics, jobs }: Pick<Services, 'database' | 'clock' | 'diagnostics' | 'jobs'>,
  { sandbox, meter, inUse, crash }: ImagesDeps,
): Images {
  const files = serial()
  /** Two sums of one app, the older one stored last, would charge it for what is gone. */
  const sums = serial()

  const charge = (app: string): Promise<void> =>
    sums(async () => meter.keep({ app, what: 'releases', sizeBytes: (await bytesKept(database, app)).get(app) ?? 0 }))

  async function tidy(): Promise<void> {
    await markRemoved(database, { newest: KEPT_RELEASES, running: await inUse(), at: clock.now() })
    crash('images-marked')
    const sizes = await bytesKept(database)
    const charged = await meter.kept([...sizes.keys()], 'releases')
    for (const [app, sizeBytes] of sizes) if (charged.get(app) !== BigInt(sizeBytes)) await charge(app)
    crash('images-uncharged')
    const onDisk = (await sandbox.releases()).map(({ sha256 }) => sha256)
    for (const sha256 of await unneeded(database, onDisk, await inUse())) await files(() => remove(sha256))
  }

  /** Asked once more in its turn: a build may have packed it meanwhile. */
  async function remove(sha256: string): Promise<void> {
    if ((await unneeded(database, [sha256], await inUse())).length === 0) return
    try {
      await sandbox.removeRelease({ sha256 })
    } catch (error) {
      if (!(error instanceof SandboxRefused) || error.code !== 'conflict') throw error
      diagnostics.info(`the image of release ${sha256} is still in use; the next look removes it`)
    }
    crash('image-removed')
  }

  jobs.daily(JOB, tidy)

  return {
    pack: ({ deployment, scratch, path }) =>
      files(async () => {
        const release = await sandbox.pack({ scratch, ...(path !== null && { path }) })
        await notePacked(database, deployment, release.sha256)
        return release
      }),
    charge,
    tidySoon: (on) => jobs.enqueue(on, JOB, {}, { key: JOB }),
  }
}
