/** What the programs of a build find set: package managers pointed at the door, and nothing of the node's own. */
import { packageEnvironment } from '../outbound/index.ts'
import type { Plan, Step } from '../source/index.ts'

export interface BuildEnvironment {
  readonly origin: string
  readonly plan: Pick<Plan, 'settings'>
  readonly step: Pick<Step, 'env'>
}

export function buildEnvironment({ origin, plan, step }: BuildEnvironment): Record<string, string> {
  return {
    ...plan.settings,
    CI: 'true',
    ...packageEnvironment({ origin, caches: '/tmp' }),
    ...step.env,
  }
}
