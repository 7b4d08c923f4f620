/**
 * The job of one deployment, from "waiting" to "starting" or "failed": hold, attempt, settle, announce.
 *
 * Each step leaves its trace before the next begins (hold, attempt number, outcome, charge), so that after a kill
 * the job goes on from the last trace: an attempt starts over, money moves once, a release is announced whole.
 */
import { formatExact, isRefusal, type Micros } from '@perennial/protocol'
import type { Apps, Logs } from '../apps/index.ts'
import type { Transaction } from '../database.ts'
import type { AccountName, Metering } from '../metering/index.ts'
import type { Services } from '../services.ts'
import type { Attempts } from './attempt.ts'
import { openBuildLog, type BuildLog } from './build-log.ts'
import { NO_COST, type Costs, type DeploymentCost } from './costs.ts'
import type { Images } from './images.ts'
import { failed, type Outcome } from './outcome.ts'
import {
  deploymentById,
  failSteps,
  lockOpen,
  resetSteps,
  setStepCost,
  updateDeployment,
  type DeploymentRow,
} from './queries/deployments.ts'
import { insertRelease, releaseOfDeployment } from './queries/releases.ts'
import { problemOf, sizeText } from './sentences.ts'

export interface BuildJobDeps {
  readonly apps: Pick<Apps, 'find'>
  readonly logs: Pick<Logs, 'append'>
  readonly meter: Pick<Metering, 'openHold' | 'settleBuild'>
  /** Who pays for a build of this app now: its purse if it has the ceiling, the start allowance, or nobody yet. */
  readonly payerOf: (app: string, ceiling: Micros) => Promise<AccountName | null>
  /** Puts a build receipt on the public log; the same bytes once. */
  readonly record: (receipt: string) => Promise<unknown>
  readonly attempts: Attempts
  readonly images: Pick<Images, 'charge'>
  readonly costs: Costs
  /** For tests: called between any two steps that a kill may separate. */
  readonly crash: (point: string) => void
}

/** A build that kills its node each time must end some time. */
const MOST_ATTEMPTS = 20

type Held = { readonly cpuNs: bigint }

/** Answers whether it waits for money. */
export function openBuildJob(
  services: Services,
  deps: BuildJobDeps,
): (deployment: string, signal: AbortSignal) => Promise<'over' | 'waits'> {
  const { database, clock, events } = services
  const { meter, images, costs, crash } = deps

  return async (id, signal) => {
    const row = await deploymentById(database, id)
    if (!row || !['waiting', 'fetching', 'building'].includes(row.status)) return 'over'
    const log = openBuildLog(deps.logs, row.app)
    if (!row.outcome) {
      const outcome = await makeOutcome(row, log, signal)
      if (!outcome) return 'waits'
      await updateDeployment(database, id, { outcome: JSON.stringify(outcome) })
    }
    crash('outcome-stored')
    const done = await deploymentById(database, id)
    if (done?.outcome) await finish(done, done.outcome, log)
    return 'over'
  }

  /** Null: it waits for money. */
  async function makeOutcome(row: DeploymentRow, log: BuildLog, signal: AbortSignal): Promise<Outcome | null> {
    const app = await deps.apps.find(row.app)
    if (!app) throw new Error(`deployment ${row.id} is of app ${row.app}, which is not there`)
    const held = await hold(row)
    if (held === null || 'kind' in held) return held
    crash('held')
    const attempt = row.attempt + 1
    await updateDeployment(database, row.id, { attempt, problem: null })
    if (attempt > MOST_ATTEMPTS) {
      await deps.attempts.clear(row.id)
      return failed(
        `The node was interrupted ${MOST_ATTEMPTS} times while it built this.`,
        'Deploy again, or ask the operator.',
      )
    }
    if (attempt > 1) {
      await resetSteps(database, row.id)
      await log.say('warn', 'The node was interrupted; the build starts over. What was lost is not charged.')
    }
    const deployment = { id: row.id, ref: row.ref, attempt }
    return deps.attempts.make({ deployment, app, cpuNs: held.cpuNs, log, signal })
  }

  /** What is held for it, once per deployment; null while nobody pays. */
  async function hold(row: DeploymentRow): Promise<Held | Outcome | null> {
    const payer = row.payer ?? (await deps.payerOf(row.app, costs.ceiling))
    if (payer === null) return waitFor(row.id, unpaid(costs.ceiling))
    const held = await meter.openHold({ payer, app: row.app, cause: row.id, ceiling: costs.ceiling })
    if (isRefusal(held)) {
      if (!held.refusal.endsWith('payment-required')) return failed(held.sentence, held.nextStep ?? null)
      return waitFor(row.id, [held.sentence, held.nextStep ?? ''].join(' ').trim())
    }
    crash('hold-opened')
    await updateDeployment(database, row.id, { payer, hold: held.hold, ceiling: held.micros })
    return held
  }

  async function waitFor(id: string, problem: string): Promise<null> {
    await updateDeployment(database, id, { status: 'waiting', problem })
    return null
  }

  async function finish(row: DeploymentRow, outcome: Outcome, log: BuildLog): Promise<void> {
    const used = (await costs.of([row.id])).get(row.id) ?? NO_COST
    const cost = row.hold === null ? 0n : await meter.settleBuild({ hold: row.hold, cpuNs: used.cpuNs })
    crash('settled')
    if (outcome.kind === 'built') {
      await deps.record(outcome.receipt)
      // From here on its place on disk costs rent.
      await images.charge(row.app)
    }
    crash('recorded')
    const announced = await database.transaction((tx) => announce(tx, { row, outcome, cost, used }))
    crash('announced')
    if (announced) await sayEnd(row, outcome, cost, log)
  }

  async function announce(
    tx: Transaction,
    { row, outcome, cost, used }: { row: DeploymentRow; outcome: Outcome; cost: Micros; used: DeploymentCost },
  ): Promise<boolean> {
    if (!(await lockOpen(tx, row.id))) return false
    const { id, app } = row
    const at = clock.now()
    const { fetch } = used.steps
    // What was charged is at most what was held and has the remainder of earlier builds: the build takes the difference.
    const fetchCost = fetch < cost ? fetch : cost
    await setStepCost(tx, { deployment: id, name: 'fetch', cost: fetchCost })
    await setStepCost(tx, { deployment: id, name: 'build', cost: cost - fetchCost })
    if (outcome.kind === 'built') {
      await insertRelease(tx, { ...outcome, deployment: id, app, builtAt: at })
      await updateDeployment(tx, id, { status: 'starting', cost, problem: null })
      await events.emit(tx, 'release-built', { app, deployment: id, release: outcome.sha256 })
    } else {
      const sentence = problemOf(outcome, cost)
      await failSteps(tx, id, at)
      await updateDeployment(tx, id, { status: 'failed', cost, problem: sentence, endedAt: at })
      await events.emit(tx, 'deployment-failed', { app, deployment: id, sentence })
    }
    return true
  }

  async function sayEnd(row: DeploymentRow, outcome: Outcome, cost: Micros, log: BuildLog): Promise<void> {
    if (outcome.kind === 'failed') return log.say('warn', problemOf(outcome, cost))
    const release = await releaseOfDeployment(database, row.id)
    const size = sizeText(outcome.sizeBytes)
    await log.say(
      'ok',
      `Release ${release?.number}: ${outcome.sha256.slice(0, 12)}, ${size}. ${cost === 0n ? 'Nothing was charged.' : `The build cost ${formatExact(cost)}.`}`,
    )
  }
}

function unpaid(ceiling: Micros): string {
  return `Waits for a payment: the build may cost up to ${formatExact(ceiling)}. Nothing was charged. It starts by itself when that is there.`
}
