/** The rows of commands that run once. */
import type { Queryable } from '../../database.ts'

export interface Run {
  readonly id: string
  readonly app: string
  /** As its lines are named in the app's log. */
  readonly process: string
  readonly argv: readonly string[]
  /** did:key; null: the app's own plan. */
  readonly askedBy: string | null
  readonly askedAt: Date
  readonly startedAt: Date | null
  readonly endedAt: Date | null
  /** Null: it did not come to an end of its own. */
  readonly exitCode: number | null
  /** How it ended, in words. */
  readonly sentence: string | null
}

const COLUMNS = `id, app, process, argv, asked_by as "askedBy", asked_at as "askedAt", started_at as "startedAt",
  ended_at as "endedAt", exit_code as "exitCode", sentence`

export async function insertRun(
  on: Queryable,
  { id, app, process, argv, askedBy, askedAt }: Pick<Run, 'id' | 'app' | 'process' | 'argv' | 'askedBy' | 'askedAt'>,
): Promise<Run> {
  const [run] = await on.query<Run>(
    `insert into process_run (id, app, process, argv, asked_by, asked_at) values ($1, $2, $3, $4, $5, $6)
     returning ${COLUMNS}`,
    [id, app, process, JSON.stringify(argv), askedBy, askedAt],
  )
  if (!run) throw new Error(`run ${id} was stored and is not there`)
  return run
}

export async function runById(on: Queryable, id: string): Promise<Run | undefined> {
  return (await on.query<Run>(`select ${COLUMNS} from process_run where id = $1`, [id]))[0]
}

/** Newest first. */
export async function runsOf(on: Queryable, app: string, limit: number): Promise<Run[]> {
  return on.query<Run>(`select ${COLUMNS} from process_run where app = $1 order by asked_at desc, id desc limit $2`, [
    app,
    limit,
  ])
}

export async function markStarted(on: Queryable, id: string, at: Date): Promise<void> {
  await on.query('update process_run set started_at = $2 where id = $1', [id, at])
}

export async function markEnded(
  on: Queryable,
  { id, at, code, sentence }: { id: string; at: Date; code: number | null; sentence: string },
): Promise<void> {
  await on.query('update process_run set ended_at = $2, exit_code = $3, sentence = $4 where id = $1', [
    id,
    at,
    code,
    sentence,
  ])
}

/** Whether the app ever asked for one of this name, or has one that has not ended. */
export async function hasRun(
  on: Queryable,
  { app, process, open }: { app: string; process: string; open: boolean },
): Promise<boolean> {
  const rows = await on.query(
    'select 1 from process_run where app = $1 and process = $2 and (not $3 or ended_at is null) limit 1',
    [app, process, open],
  )
  return rows.length > 0
}

export async function forgetRuns(on: Queryable, before: Date): Promise<void> {
  await on.query(`delete from process_run where ended_at < $1 and process <> 'postdeploy'`, [before])
}
