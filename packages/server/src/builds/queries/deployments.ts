/** SQL of deployments and their steps. */
import type { Micros } from '@perennial/protocol'
import type { Queryable } from '../../database.ts'
import type { DeploymentStatus, StepName, StepStatus } from '../deployment.ts'
import type { Outcome } from '../outcome.ts'

export interface DeploymentRow {
  readonly id: string
  readonly app: string
  readonly ref: string | null
  readonly status: DeploymentStatus
  readonly problem: string | null
  readonly payer: string | null
  readonly hold: string | null
  readonly ceiling: Micros
  readonly cost: Micros | null
  readonly attempt: number
  readonly commit: string | null
  readonly subject: string | null
  readonly committedAt: Date | null
  readonly outcome: Outcome | null
  readonly because: 'config' | 'rollback' | null
  readonly createdAt: Date
  readonly endedAt: Date | null
  /** Of its release, if it made one. */
  readonly release: string | null
}

export interface StepRow {
  readonly name: StepName
  readonly status: StepStatus
  readonly detail: string
  readonly startedAt: Date | null
  readonly endedAt: Date | null
  readonly cost: Micros | null
}

const SELECT = `select d.id, d.app, d.ref, d.status, d.problem, d.payer, d.hold, d.ceiling, d.cost, d.attempt, d.commit,
    d.subject, d.committed_at as "committedAt",
    d.outcome, d.because, d.created_at as "createdAt", d.ended_at as "endedAt", r.sha256 as release
  from deployment d left join release r on r.deployment = d.id`

/** The row, or nothing when the app has one that is not built yet. */
export async function insertDeployment(
  tx: Queryable,
  row: { id: string; app: string; ref: string | null; by: string | null; ceiling: Micros; at: Date },
): Promise<boolean> {
  const rows = await tx.query(
    `insert into deployment (id, app, ref, requested_by, status, ceiling, attempt, created_at)
     values ($1, $2, $3, $4, 'waiting', $5, 0, $6)
     on conflict do nothing returning id`,
    [row.id, row.app, row.ref, row.by, row.ceiling, row.at],
  )
  if (rows.length === 0) return false
  await tx.query(
    `insert into deployment_step (deployment, name, status, detail)
     select $1, name, 'waiting', '' from unnest(array['fetch', 'build', 'run']) as name`,
    [row.id],
  )
  return true
}

/** One that fetches and builds nothing: it begins where a build ends. */
export async function insertForward(
  tx: Queryable,
  row: {
    id: string
    app: string
    by: string | null
    because: 'config' | 'rollback'
    detail: string
    at: Date
    from: string
  },
): Promise<void> {
  await tx.query(
    `insert into deployment (id, app, ref, requested_by, status, ceiling, cost, attempt, commit, subject, committed_at, because, created_at)
     select $1, $2, ref, $3, 'starting', 0, 0, 0, commit, subject, committed_at, $4, $5 from deployment where id = $6`,
    [row.id, row.app, row.by, row.because, row.at, row.from],
  )
  await tx.query(
    `insert into deployment_step (deployment, name, status, detail)
     select $1, name, case name when 'run' then 'waiting' else 'skipped' end, case name when 'run' then '' else $2 end
       from unnest(array['fetch', 'build', 'run']) as name`,
    [row.id, row.detail],
  )
}

/** The newest that has a release and is to be started. */
export async function startingDeployment(on: Queryable, app: string): Promise<DeploymentRow | undefined> {
  const rows = await on.query<DeploymentRow>(
    `${SELECT} where d.app = $1 and d.status = 'starting' order by d.created_at desc limit 1`,
    [app],
  )
  return rows[0]
}

/** Another one takes the place of those that are to be started. */
export async function replaceStarting(tx: Queryable, app: string, at: Date): Promise<void> {
  await tx.query(
    `update deployment set status = 'replaced', problem = null, ended_at = $2 where app = $1 and status = 'starting'`,
    [app, at],
  )
}

export async function deploymentById(on: Queryable, id: string): Promise<DeploymentRow | undefined> {
  return (await on.query<DeploymentRow>(`${SELECT} where d.id = $1`, [id]))[0]
}

export async function latestDeployment(on: Queryable, app: string): Promise<DeploymentRow | undefined> {
  const rows = await on.query<DeploymentRow>(
    `${SELECT} where d.app = $1 order by d.created_at desc, d.id desc limit 1`,
    [app],
  )
  return rows[0]
}

/** The deployment of an app that waits for or is in its build. */
export async function openDeployment(on: Queryable, app: string): Promise<DeploymentRow | undefined> {
  const rows = await on.query<DeploymentRow>(
    `${SELECT} where d.app = $1 and d.status in ('waiting', 'fetching', 'building')`,
    [app],
  )
  return rows[0]
}

export async function unfinishedDeployments(on: Queryable): Promise<string[]> {
  const rows = await on.query<{ id: string }>(
    `select id from deployment where status in ('waiting', 'fetching', 'building') order by created_at`,
  )
  return rows.map(({ id }) => id)
}

/** Changes what is given; absent columns stay. */
export async function updateDeployment(
  on: Queryable,
  id: string,
  change: {
    status?: DeploymentStatus
    problem?: string | null
    payer?: string | null
    hold?: string | null
    ceiling?: Micros
    cost?: Micros
    attempt?: number
    commit?: string
    subject?: string
    committedAt?: Date
    outcome?: string
    endedAt?: Date
  },
): Promise<void> {
  const column = { endedAt: 'ended_at', committedAt: 'committed_at' } as Record<string, string>
  const entries = Object.entries(change)
  const sets = entries.map(([name], at) => `${column[name] ?? name} = $${at + 2}`).join(', ')
  await on.query(`update deployment set ${sets} where id = $1`, [id, ...entries.map(([, value]) => value)])
}

export async function stepsOf(on: Queryable, deployment: string): Promise<StepRow[]> {
  return on.query<StepRow>(
    `select name, status, detail, started_at as "startedAt", ended_at as "endedAt", cost
       from deployment_step where deployment = $1
      order by array_position(array['fetch', 'build', 'run'], name)`,
    [deployment],
  )
}

export async function beginStep(
  on: Queryable,
  step: { deployment: string; name: StepName; detail: string; at: Date },
): Promise<void> {
  await on.query(
    `update deployment_step set status = 'running', detail = $3, started_at = $4, ended_at = null
      where deployment = $1 and name = $2`,
    [step.deployment, step.name, step.detail, step.at],
  )
}

export async function describeStep(
  on: Queryable,
  step: { deployment: string; name: StepName; detail: string },
): Promise<void> {
  await on.query('update deployment_step set detail = $3 where deployment = $1 and name = $2', [
    step.deployment,
    step.name,
    step.detail,
  ])
}

/** Only a step that is running ends: told twice, nothing changes. */
export async function endStep(
  on: Queryable,
  step: { deployment: string; name: StepName; status: 'done' | 'failed'; at: Date },
): Promise<void> {
  await on.query(
    `update deployment_step set status = $3, ended_at = $4 where deployment = $1 and name = $2 and status = 'running'`,
    [step.deployment, step.name, step.status, step.at],
  )
}

/** Done, whether or not its beginning was told. */
export async function completeStep(
  on: Queryable,
  step: { deployment: string; name: StepName; detail: string; at: Date },
): Promise<void> {
  await on.query(
    `update deployment_step
        set status = 'done', detail = $3, started_at = coalesce(started_at, $4), ended_at = $4
      where deployment = $1 and name = $2`,
    [step.deployment, step.name, step.detail, step.at],
  )
}

/** After a failure: the running step failed, those that waited never come. */
export async function failSteps(on: Queryable, deployment: string, at: Date): Promise<void> {
  await on.query(
    `update deployment_step
        set status = case status when 'running' then 'failed' when 'waiting' then 'skipped' else status end,
            ended_at = case status when 'running' then $2 else ended_at end
      where deployment = $1`,
    [deployment, at],
  )
}

/** Before another attempt: everything waits as at first. */
export async function resetSteps(on: Queryable, deployment: string): Promise<void> {
  await on.query(
    `update deployment_step set status = 'waiting', detail = '', started_at = null, ended_at = null where deployment = $1`,
    [deployment],
  )
}

export async function skipStep(
  on: Queryable,
  step: { deployment: string; name: StepName; detail: string },
): Promise<void> {
  await on.query(`update deployment_step set status = 'skipped', detail = $3 where deployment = $1 and name = $2`, [
    step.deployment,
    step.name,
    step.detail,
  ])
}

export async function setStepCost(
  on: Queryable,
  step: { deployment: string; name: StepName; cost: Micros },
): Promise<void> {
  await on.query('update deployment_step set cost = $3 where deployment = $1 and name = $2', [
    step.deployment,
    step.name,
    step.cost,
  ])
}

/** The app's other deployments that ran or were to run: this one takes their place. */
export async function replaceOthers(on: Queryable, deployment: { id: string; app: string }, at: Date): Promise<void> {
  await on.query(
    `update deployment set status = 'replaced', ended_at = coalesce(ended_at, $3)
      where app = $1 and id <> $2 and status in ('starting', 'running')
        and created_at <= (select created_at from deployment where id = $2)`,
    [deployment.app, deployment.id, at],
  )
}

/** Locks the row while it is not built yet; false when another run of its job was faster. */
export async function lockOpen(tx: Queryable, id: string): Promise<boolean> {
  const rows = await tx.query(
    `select from deployment where id = $1 and status in ('waiting', 'fetching', 'building') for no key update`,
    [id],
  )
  return rows.length > 0
}
