/** What is public about a deployment and a release; as the methods `apps.deployment` and `apps.get` answer it. */
import type { Micros } from '@perennial/protocol'
import type { Plan } from '../source/index.ts'

export type DeploymentStatus = 'waiting' | 'fetching' | 'building' | 'starting' | 'running' | 'failed' | 'replaced'
export type StepName = 'fetch' | 'build' | 'run'
export type StepStatus = 'waiting' | 'running' | 'done' | 'failed' | 'skipped'

export interface DeploymentStep {
  readonly name: StepName
  readonly status: StepStatus
  /** What it did or does, in a few words. */
  readonly detail: string
  readonly startedAt: Date | null
  readonly endedAt: Date | null
  readonly cost: Micros
}

export interface Deployment {
  readonly id: string
  readonly app: string
  readonly status: DeploymentStatus
  readonly ref: string | null
  readonly commit: string | null
  /** First line of the commit's message, and when it was made. */
  readonly subject: string | null
  readonly committedAt: Date | null
  /** SHA-256 of the release image. */
  readonly release: string | null
  readonly steps: readonly DeploymentStep[]
  /** So far; what was charged once it has ended. */
  readonly cost: Micros
  /** The most that it can cost. */
  readonly ceiling: Micros
  readonly payer: 'purse' | 'allowance' | null
  /** Why it waits or failed: what happened, what it cost, what to do. */
  readonly problem: string | null
  /** Why nothing was fetched and built: an earlier release runs once more. Null: it was. */
  readonly because: 'config' | 'rollback' | null
  readonly createdAt: Date
  readonly endedAt: Date | null
}

export interface Release {
  readonly deployment: string
  readonly app: string
  /** 1, 2, 3 … per app. */
  readonly number: number
  readonly sha256: string
  readonly sizeBytes: number
  readonly commit: string
  /** First line of the commit's message. */
  readonly subject: string
  readonly committedAt: Date
  /** How to run it: `runImage`, `web`, `env`. */
  readonly plan: Plan
  /** The number of the last change of settings that it runs with. */
  readonly configVersion: number
  /** The build receipt, JSON: what was built from what by whom. Its exact bytes are recorded on the ledger. */
  readonly receipt: string
  readonly builtAt: Date
  /** When its app stopped keeping the image, which its commit would have to be built for again; null: it is kept. */
  readonly removedAt: Date | null
  readonly cost: Micros
}
