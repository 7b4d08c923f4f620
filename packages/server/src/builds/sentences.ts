/** Why a build stopped, in words: what happened, which limit it was, what to do. */
import { formatExact, type Micros } from '@perennial/protocol'
import type { Step } from '../source/index.ts'
import { failed, type Failed } from './outcome.ts'
import type { Ran } from './run-sandbox.ts'

export interface StepEnd {
  readonly step: Pick<Step, 'name' | 'title'>
  readonly ran: Ran
  /** The last lines it printed. */
  readonly tail: readonly string[]
  readonly limits: {
    readonly memoryBytes: number
    readonly timeoutMs: number
    readonly diskBytes: number
    readonly cpuNs: bigint
  }
}

const SEE_LOG = 'See the build log, mend the repository and deploy again.'

/** Null when the step went well. */
export function whyStepFailed({ step, ran, tail, limits }: StepEnd): Failed | null {
  const name = step.name === 'collect' ? 'Collecting the site' : step.title
  const { end } = ran
  if (end.how === 'too-long')
    return failed(
      `${name} was stopped: a build may take ${duration(limits.timeoutMs)}.`,
      'Make the build shorter and deploy again.',
    )
  if (end.how === 'too-much-cpu')
    return failed(
      `${name} was stopped: it used the ${cpuMinutes(limits.cpuNs)} that were paid for.`,
      'Pay for the app, or make its build smaller.',
    )
  const { exit } = end
  if (exit.code === 0) return null
  const said = tail.join('\n')
  const mib = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`
  if (exit.reason === 'memory' || ran.oomKills > 0 || /heap out of memory/.test(said))
    return failed(
      `${name} needed more memory than the ${mib(limits.memoryBytes)} that a build has.`,
      'Make the build need less, and deploy again.',
    )
  if (/ENOSPC|No space left on device/.test(said))
    return failed(
      `${name} needed more disk than the ${mib(limits.diskBytes)} that a build has.`,
      'Make the build write less, and deploy again.',
    )
  if (ran.refused) return failed(`${name} failed: ${ran.refused.sentence}`, ran.refused.nextStep ?? SEE_LOG)
  return failed(`${name} failed: it ${exit.sentence}.`, SEE_LOG)
}

export function problemOf({ sentence, nextStep }: Failed, cost: Micros): string {
  const charged = cost === 0n ? 'Nothing was charged.' : `It cost ${formatExact(cost)}.`
  return [sentence, charged, ...(nextStep === null ? [] : [nextStep])].join(' ')
}

/** `4.1 kB`, `12.3 MB`: as pages write sizes. */
export function sizeText(sizeBytes: number): string {
  return sizeBytes < 1e6 ? `${(sizeBytes / 1e3).toFixed(1)} kB` : `${(sizeBytes / 1e6).toFixed(1)} MB`
}

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  return ms < 120_000 ? `${Math.round(ms / 1000)} seconds` : `${minutes} minutes`
}

function cpuMinutes(ns: bigint): string {
  const seconds = Number(ns / 1_000_000_000n)
  return seconds < 120 ? `${seconds} CPU-seconds` : `${Math.round(seconds / 60)} CPU-minutes`
}
