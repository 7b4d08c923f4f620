/**
 * Commands of apps that run once: asked for by an admin, or due. Each is a row from the moment it is asked for, and a
 * job that starts it and waits for its end; one whose node was killed while it ran is not run again.
 */
import { isRefusal, newId, type Refusal } from '@perennial/protocol'
import type { SandboxClient } from '@perennial/sandbox/client'
import type { Queryable, Transaction } from '../database.ts'
import type { Services } from '../services.ts'
import type { Keeper } from './keeper.ts'
import { untilEnd, type Begun, type End } from './once.ts'

export interface Run {
  readonly id: string
  readonly app: string
  readonly process: string
  readonly argv: readonly string[]
  readonly askedBy: string | null
  readonly askedAt: Date
  readonly startedAt: Date | null
  readonly endedAt: Date | null
  readonly exitCode: number | null
  readonly sentence: string | null
}

export interface RunRequest {
  readonly app: string
  /** Null: one of its own, `run-` and a few letters. */
  readonly process: string | null
  readonly argv: readonly string[]
  readonly by: string | null
}

export interface Runs {
  /** In the caller's transaction. */
  request(tx: Transaction, request: RunRequest): Promise<Run>
  find(id: string): Promise<Run | null>
  /** Newest first. */
  list(app: string, limit: number): Promise<Run[]>
}

export interface RunsDeps {
  readonly sandbox: SandboxClient
  readonly inTurn: <T>(app: string, act: (keeper: Keeper) => Promise<T>) => Promise<T>
}

/** A command that its app's money would let run for ever ends here. */
const LONGEST_MS = 3_600_000
const AT_ONCE = 8
const KEPT_MS = 90 * 86_400_000
const COLUMNS = `id, app, process, argv, asked_by as "askedBy", asked_at as "askedAt", started_at as "startedAt",
  ended_at as "endedAt", exit_code as "exitCode", sentence`

export function openRuns({ database, clock, jobs }: Services, { sandbox, inTurn }: RunsDeps): Runs {
  jobs.daily('runs: forget', (on, now) =>
    on.query('delete from process_run where ended_at < $1', [new Date(now.getTime() - KEPT_MS)]),
  )
  jobs.handle(
    'process-run',
    async (job, signal) => {
      const run = await runById(database, String(job.data['run']))
      if (!run || run.endedAt !== null) return
      const end = run.startedAt === null ? await perform(run, signal) : INTERRUPTED
      await database.query('update process_run set ended_at = $2, exit_code = $3, sentence = $4 where id = $1', [
        run.id,
        clock.now(),
        end.code,
        end.sentence,
      ])
    },
    { atOnce: AT_ONCE },
  )

  async function perform(run: Run, signal: AbortSignal): Promise<End> {
    await database.query('update process_run set started_at = $2 where id = $1', [run.id, clock.now()])
    const { app, process, argv } = run
    const begun: Begun | Refusal = await inTurn(app, (keeper) => keeper.begin({ process, argv }))
    if (isRefusal(begun)) return { code: null, sentence: [begun.sentence, begun.nextStep ?? ''].join(' ').trim() }
    const end = await untilEnd({ sandbox, clock }, { id: begun.instance.id, timeoutMs: LONGEST_MS, signal })
    await inTurn(app, (keeper) => keeper.finish(begun, end.sentence))
    return end
  }

  return {
    async request(tx, { app, process, argv, by }) {
      const id = newId({ nowMs: clock.now().getTime() })
      const [run] = await tx.query<Run>(
        `insert into process_run (id, app, process, argv, asked_by, asked_at) values ($1, $2, $3, $4, $5, $6)
         returning ${COLUMNS}`,
        [id, app, process ?? `run-${id.slice(-6)}`, JSON.stringify(argv), by, clock.now()],
      )
      if (!run) throw new Error(`run ${id} was stored and is not there`)
      await jobs.enqueue(tx, 'process-run', { run: id }, { key: id })
      return run
    },
    find: async (id) => (await runById(database, id)) ?? null,
    list: (app, limit) =>
      database.query<Run>(
        `select ${COLUMNS} from process_run where app = $1 order by asked_at desc, id desc limit $2`,
        [app, limit],
      ),
  }
}

const INTERRUPTED: End = { code: null, sentence: 'was interrupted when the node was restarted' }

async function runById(on: Queryable, id: string): Promise<Run | undefined> {
  return (await on.query<Run>(`select ${COLUMNS} from process_run where id = $1`, [id]))[0]
}
