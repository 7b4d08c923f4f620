/**
 * A release once more, under a new number: with other settings, or because a later one was no good. Nothing is fetched
 * and nothing is built; from there on it is a deployment like any other, so that one that does not start changes nothing.
 */
import { newId, refuse, type Refusal } from '@perennial/protocol'
import type { App } from '../apps/index.ts'
import type { Queryable, Transaction } from '../database.ts'
import type { Services } from '../services.ts'
import type { Release } from './deployment.ts'
import {
  deploymentById,
  insertForward,
  openDeployment,
  replaceStarting,
  startingDeployment,
} from './queries/deployments.ts'
import { insertRelease, releaseBefore, releaseByNumber, releaseOfDeployment, settled } from './queries/releases.ts'

export type Which = Pick<App, 'id' | 'releaseNumber'>

/** The one that runs, or ran last. */
export async function currentRelease(on: Queryable, { id, releaseNumber }: Which): Promise<Release | undefined> {
  return releaseNumber === null ? undefined : releaseByNumber(on, id, releaseNumber)
}

export interface Forwards {
  /**
   * The settings changed: the app's release runs once more with them. Null: there is none, or one is being built that
   * will have them.
   */
  reconfigured(tx: Transaction, app: string, by: string | null): Promise<string | null>
  /** To this release, or to the newest before the current one that has another image. */
  rollBack(tx: Transaction, app: string, to: { number: number | null; by: string | null }): Promise<string | Refusal>
}

export function openForwards({ database, clock, events }: Pick<Services, 'database' | 'clock' | 'events'>): Forwards {
  async function forward(
    tx: Transaction,
    from: Release,
    { because, detail, by }: { because: 'config' | 'rollback'; detail: string; by: string | null },
  ): Promise<string> {
    const at = clock.now()
    const { app, deployment } = from
    const id = newId({ nowMs: at.getTime() })
    await replaceStarting(tx, app, at)
    await insertForward(tx, { id, app, by, because, detail, at, from: deployment })
    await insertRelease(tx, { ...from, deployment: id, builtAt: at })
    await events.emit(tx, 'release-built', { app, deployment: id, release: from.sha256 })
    return id
  }

  async function runningOf(tx: Transaction, app: string): Promise<{ release: Release | undefined; config: number }> {
    const { release: releaseNumber, config } = await settled(tx, app)
    return { release: await currentRelease(tx, { id: app, releaseNumber }), config }
  }

  async function reconfigured(tx: Transaction, app: string, by: string | null): Promise<string | null> {
    if (await openDeployment(tx, app)) return null
    const starting = await startingDeployment(tx, app)
    const from = (starting && (await releaseOfDeployment(tx, starting.id))) ?? (await runningOf(tx, app)).release
    if (!from) return null
    return forward(tx, from, { because: 'config', detail: `release ${from.number} with other settings`, by })
  }

  // What was changed while a build was under way is to hold, too, when that build fails.
  events.on('deployment-failed', 'settings', async ({ app, deployment }) => {
    await database.transaction(async (tx) => {
      if ((await deploymentById(tx, deployment))?.because !== null) return
      const { release, config } = await runningOf(tx, app)
      if (release && release.configVersion < config) await reconfigured(tx, app, null)
    })
  })

  return {
    reconfigured,
    async rollBack(tx, app, { number, by }) {
      const { release } = await runningOf(tx, app)
      if (!release) return refuse('client-error/conflict', 'The app has no release yet. Nothing was changed.')
      const to = await (number === null ? releaseBefore(tx, app, release.number) : releaseByNumber(tx, app, number))
      if (!to)
        return refuse(
          'client-error/not-found',
          number === null ? 'There is no earlier release whose image is kept.' : `The app has no release ${number}.`,
          'The app’s page lists its releases.',
        )
      if (to.removedAt !== null)
        return refuse(
          'client-error/conflict',
          `The image of release ${to.number} is not kept any more. Nothing was changed.`,
          `Deploy its commit again: ${to.commit}.`,
        )
      return forward(tx, to, { because: 'rollback', detail: `back to release ${to.number}`, by })
    },
  }
}
