/** Follows a deployment to its end: says each step, and what it cost, as the node tells it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@perennial/client'
import { formatAmount, methods, type OutputOf } from '@perennial/protocol'
import { CommandFailed } from './fail.ts'
import { granted } from './node-client.ts'

export type Deployment = OutputOf<typeof methods.apps.deployment>

export interface Following {
  readonly say: (line: string) => void
  /** Ends the waiting, not the deployment. */
  readonly signal?: AbortSignal
}

const ASK_EVERY_MS = 300
const STEP_WORDS = { fetch: 'fetched', build: 'built', run: 'started' } as const

/** The deployment once it runs, failed, was replaced, or waits for money. */
export async function followDeployment(client: Client, id: string, { say, signal }: Following): Promise<Deployment> {
  const said = new Set<string>()
  for (;;) {
    signal?.throwIfAborted()
    const now = granted(await client.call(methods.apps.deployment, { id }))
    for (const step of now.steps) {
      if ((step.status !== 'done' && step.status !== 'failed') || said.has(step.name)) continue
      said.add(step.name)
      const word = step.status === 'failed' ? `${step.name} failed` : STEP_WORDS[step.name]
      const seconds = step.startedAt && step.endedAt ? (step.endedAt.getTime() - step.startedAt.getTime()) / 1000 : 0
      say(`${word} in ${seconds.toFixed(1)} s, ${formatAmount(step.cost)}`)
    }
    if (['running', 'failed', 'replaced'].includes(now.status) || waitsForMoney(now) || waitsForSettings(now))
      return now
    await sleep(ASK_EVERY_MS)
  }
}

/** It also waits for its turn, and then has no problem. */
export function waitsForMoney({ status, problem }: Deployment): boolean {
  return status === 'waiting' && problem !== null
}

/** For a setting that the app requires. */
function waitsForSettings({ status, problem }: Deployment): boolean {
  return status === 'starting' && problem !== null
}

/** Throws unless it runs. */
export function mustRun(deployment: Deployment): void {
  const { status, problem, app } = deployment
  if (status === 'running' || status === 'replaced') return
  throw new CommandFailed(problem ?? `${app.slug}: ${status}`, {
    nextStep: waitsForSettings(deployment)
      ? `perennial config set ${app.slug} NAME=value`
      : waitsForMoney(deployment)
        ? `perennial fund ${app.slug} 5.00`
        : `perennial logs ${app.slug} --source build`,
  })
}
