/**
 * From a request to deploy to a release that hosting can start; and what everyone may know on the way.
 *
 * The folder owns deployments and releases. Hosting is told by the event `release-built` and says how it went with
 * `running` or `startFailed`.
 */
import { newId, type Micros, type PriceBook } from '@perennial/protocol'
import type { SandboxClient } from '@perennial/sandbox/client'
import type { Apps } from '../apps/index.ts'
import type { Transaction } from '../database.ts'
import type { Outbound } from '../outbound/index.ts'
import type { Services } from '../services.ts'
import { openAttempts } from './attempt.ts'
import { openBuildJob, type BuildJobDeps } from './build-job.ts'
import { NO_COST, openCosts } from './costs.ts'
import type { Deployment, Release } from './deployment.ts'
import { openImages, type ImagesDeps } from './images.ts'
import {
  beginStep,
  completeStep,
  deploymentById,
  failSteps,
  insertDeployment,
  latestDeployment,
  openDeployment,
  replaceOthers,
  stepsOf,
  unfinishedDeployments,
  updateDeployment,
  type DeploymentRow,
} from './queries/deployments.ts'
import { forgetDeployments } from './queries/forget.ts'
import { releaseOfDeployment, releasesOfApp } from './queries/releases.ts'
import { openSandboxes } from './run-sandbox.ts'
import { currentRelease, openForwards, type Forwards, type Which } from './forward.ts'
import { failed } from './outcome.ts'
import { problemOf } from './sentences.ts'

export interface BuildsDeps extends Omit<BuildJobDeps, 'attempts' | 'images' | 'costs' | 'crash' | 'apps' | 'meter'> {
  readonly sandbox: SandboxClient
  readonly outbound: Outbound
  readonly apps: Pick<Apps, 'find' | 'setAbout' | 'setRelease'>
  readonly meter: BuildJobDeps['meter'] & ImagesDeps['meter']
  readonly inUse: ImagesDeps['inUse']
  readonly priceBook: PriceBook
  /** did:key of the node. */
  readonly builder: string
  readonly crash?: (point: string) => void
}

export interface DeployRequest {
  readonly app: string
  /** Branch, tag or commit; null: the default branch. */
  readonly ref: string | null
  /** did:key of who asked; null: nobody signed. */
  readonly by: string | null
}

export interface Builds extends Forwards {
  /** The most that a build may cost. */
  readonly ceiling: Micros
  /** Adds a deployment in the caller's transaction; answers the one that is under way if there is one. */
  request(tx: Transaction, request: DeployRequest): Promise<{ id: string; created: boolean }>
  deployment(id: string): Promise<Deployment | null>
  /** The app's newest. */
  latest(app: string): Promise<Deployment | null>
  /** Of a deployment. */
  release(deployment: string): Promise<Release | null>
  /** The one that runs, or ran last. */
  current(app: Which): Promise<Release | null>
  /** Newest first. */
  releases(app: string, limit?: number): Promise<Release[]>
  /** Hosting begins to start it. */
  starting(tx: Transaction, deployment: string, detail: string): Promise<void>
  /** Hosting: it answers. The app's release is this one, earlier deployments are replaced. */
  running(tx: Transaction, deployment: string, detail: string): Promise<void>
  /** Hosting: it is not started yet, and why. */
  waits(tx: Transaction, deployment: string, problem: string): Promise<void>
  /** Hosting: it does not start. The app keeps the release it had. */
  startFailed(tx: Transaction, deployment: string, why: { sentence: string; nextStep: string | null }): Promise<void>
  /** At start: removes what killed builds left, and goes on with what is not finished. */
  recover(): Promise<void>
}

/** The CPU time that is held for a build, and its limit; the start allowance may give less. */
const BUILD_CPU_NS = 15n * 60_000_000_000n
/** On two cores a third build would only slow the others. */
const AT_ONCE = 2
/** A payment starts a build that waits; money that a run had on hold and gives back says nothing, so it is looked for. */
const ASK_AGAIN_MS = 5 * 60_000

export function openBuilds(services: Services, deps: BuildsDeps): Builds {
  const { database, clock, events, jobs } = services
  const { apps, sandbox, outbound, builder, priceBook, crash = () => undefined } = deps
  const sandboxes = openSandboxes(services, { sandbox, outbound })
  const images = openImages(services, { ...deps, crash })
  const attempts = openAttempts(services, { sandbox, sandboxes, images, outbound, apps, builder })
  const costs = openCosts(database, { priceBook, cpuNs: BUILD_CPU_NS })
  const build = openBuildJob(services, { ...deps, attempts, images, costs, crash })

  const enqueue = (tx: Pick<Transaction, 'query'>, deployment: string, runAt = clock.now()) =>
    jobs.enqueue(tx, 'build', { deployment }, { key: deployment, runAt })
  const run = async (deployment: string, signal: AbortSignal): Promise<void> => {
    if ((await build(deployment, signal)) === 'over') return
    await enqueue(database, deployment, new Date(clock.now().getTime() + ASK_AGAIN_MS))
  }
  jobs.daily('deployments: forget', forgetDeployments)
  jobs.handle('build', (job, signal) => run(String(job.data['deployment']), signal), { atOnce: AT_ONCE })
  events.on('contributed', 'builds', async ({ app }) => {
    const waiting = await openDeployment(database, app)
    if (waiting) await enqueue(database, waiting.id)
  })

  async function view(row: DeploymentRow | undefined): Promise<Deployment | null> {
    if (!row) return null
    const used = (await costs.of([row.id])).get(row.id) ?? NO_COST
    const steps = await stepsOf(database, row.id)
    const {
      id,
      app,
      status,
      ref,
      commit,
      subject,
      committedAt,
      release,
      ceiling,
      problem,
      because,
      createdAt,
      endedAt,
    } = row
    return {
      id,
      app,
      status,
      ref,
      commit,
      subject,
      committedAt,
      release,
      ceiling,
      problem,
      because,
      createdAt,
      endedAt,
      steps: steps.map((step) => ({ ...step, cost: step.cost ?? used.steps[step.name] })),
      cost: row.cost ?? used.micros,
      payer: row.payer === null ? null : row.payer.endsWith('/purse') ? 'purse' : 'allowance',
    }
  }

  return {
    ceiling: costs.ceiling,
    async request(tx, { app, ref, by }) {
      const at = clock.now()
      const id = newId({ nowMs: at.getTime() })
      if (!(await insertDeployment(tx, { id, app, ref, by, ceiling: costs.ceiling, at }))) {
        const open = await openDeployment(tx, app)
        if (!open) throw new Error(`the deployment of app ${app} ended just now; ask again`)
        return { id: open.id, created: false }
      }
      await events.emit(tx, 'deployment-requested', { app, deployment: id })
      await enqueue(tx, id)
      return { id, created: true }
    },
    deployment: async (id) => view(await deploymentById(database, id)),
    latest: async (app) => view(await latestDeployment(database, app)),
    release: async (deployment) => (await releaseOfDeployment(database, deployment)) ?? null,
    current: async (app) => (await currentRelease(database, app)) ?? null,
    ...openForwards(services),
    releases: (app, limit = 20) => releasesOfApp(database, app, limit),
    starting: (tx, deployment, detail) => beginStep(tx, { deployment, name: 'run', detail, at: clock.now() }),
    async running(tx, id, detail) {
      const row = await deploymentById(tx, id)
      if (row?.status !== 'starting' || row.release === null) return
      const at = clock.now()
      await completeStep(tx, { deployment: id, name: 'run', detail, at })
      await updateDeployment(tx, id, { status: 'running', problem: null, endedAt: at })
      await replaceOthers(tx, row, at)
      const release = await releaseOfDeployment(tx, id)
      if (release) await apps.setRelease(tx, row.app, release)
      await images.tidySoon(tx)
    },
    async waits(tx, id, problem) {
      if ((await deploymentById(tx, id))?.status === 'starting') await updateDeployment(tx, id, { problem })
    },
    async startFailed(tx, id, { sentence, nextStep }) {
      const row = await deploymentById(tx, id)
      if (row?.status !== 'starting') return
      const at = clock.now()
      const problem = problemOf(failed(sentence, nextStep), row.cost ?? 0n)
      await failSteps(tx, id, at)
      await updateDeployment(tx, id, { status: 'failed', problem, endedAt: at })
      await events.emit(tx, 'deployment-failed', { app: row.app, deployment: id, sentence: problem })
    },
    async recover() {
      const unfinished = await unfinishedDeployments(database)
      await sandboxes.removeLeft()
      for (const id of unfinished) await enqueue(database, id)
    },
  }
}
