/** What a deployment cost so far, by step: the kernel's CPU time at the price book's rate for builds. */
import { costCeiling, costOf, type Micros, type PriceBook } from '@perennial/protocol'
import type { Queryable } from '../database.ts'
import type { StepName } from './deployment.ts'
import { cpuBySteps } from './queries/sandboxes.ts'

export interface Costs {
  /** The most that any build may cost. */
  readonly ceiling: Micros
  of(deployments: readonly string[]): Promise<ReadonlyMap<string, DeploymentCost>>
}

export interface DeploymentCost {
  readonly cpuNs: bigint
  readonly micros: Micros
  readonly steps: Readonly<Record<StepName, Micros>>
}

export const NO_COST: DeploymentCost = { cpuNs: 0n, micros: 0n, steps: { fetch: 0n, build: 0n, run: 0n } }

export function openCosts(database: Queryable, { priceBook, cpuNs }: { priceBook: PriceBook; cpuNs: bigint }): Costs {
  /** Steps are differences of sums, so that they add up to the whole to the micro. */
  function costs(used: Readonly<Partial<Record<StepName, bigint>>>): DeploymentCost {
    const fetched = used.fetch ?? 0n
    const all = fetched + (used.build ?? 0n)
    const [fetch, micros] = [costOf(priceBook, { build: fetched }), costOf(priceBook, { build: all })]
    return { cpuNs: all, micros, steps: { fetch, build: micros - fetch, run: 0n } }
  }
  return {
    ceiling: costCeiling(priceBook, { build: cpuNs }),
    async of(deployments) {
      const used = new Map<string, Partial<Record<StepName, bigint>>>()
      for (const { deployment, step, cpuNs: ns } of await cpuBySteps(database, deployments))
        used.set(deployment, { ...used.get(deployment), [step]: ns })
      return new Map([...used].map(([id, steps]) => [id, costs(steps)]))
    },
  }
}
