/** SQL of the sandboxes that builds start, and what the kernel counted of them. */
import type { Queryable } from '../../database.ts'
import type { StepName } from '../deployment.ts'

export interface BuildSandbox {
  readonly id: string
  readonly deployment: string
  readonly attempt: number
  readonly step: StepName
}

export async function insertSandbox(on: Queryable, row: BuildSandbox & { at: Date }): Promise<void> {
  await on.query(
    `insert into build_sandbox (id, deployment, attempt, step, cpu_ns, started_at) values ($1, $2, $3, $4, 0, $5)`,
    [row.id, row.deployment, row.attempt, row.step, row.at],
  )
}

/** Counters of one sandbox only grow. */
export async function storeReading(on: Queryable, id: string, cpuNs: bigint): Promise<void> {
  await on.query('update build_sandbox set cpu_ns = greatest(cpu_ns, $2) where id = $1', [id, cpuNs])
}

export async function markRemoved(on: Queryable, id: string, at: Date): Promise<void> {
  await on.query('update build_sandbox set removed_at = $2 where id = $1', [id, at])
}

/** Those that may still exist; of one deployment or of all. */
export async function sandboxesLeft(on: Queryable, deployment?: string): Promise<BuildSandbox[]> {
  return on.query<BuildSandbox>(
    `select id, deployment, attempt, step from build_sandbox
      where removed_at is null and ($1::uuid is null or deployment = $1)`,
    [deployment ?? null],
  )
}

/** CPU time by step of the attempt that counts: attempts that the node lost are the node's own cost. */
export async function cpuBySteps(
  on: Queryable,
  deployments: readonly string[],
): Promise<{ deployment: string; step: StepName; cpuNs: bigint }[]> {
  return on.query(
    `select s.deployment, s.step, sum(s.cpu_ns)::bigint as "cpuNs"
       from build_sandbox s join deployment d on d.id = s.deployment and d.attempt = s.attempt
      where s.deployment = any($1) group by s.deployment, s.step`,
    [deployments],
  )
}
