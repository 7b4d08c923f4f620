/**
 * Commands of apps that run once: asked for by an admin, or due. Each is a row from the moment it is asked for, and a
 * job that starts it and waits for its end; one whose node was killed while it ran is not run again.
 */
import { isRefusal, newId, type Refusal } from '@perennial/protocol'
import type { SandboxClient } from '@perennial/sandbox/client'
import type { Transaction } from '../database.ts'
import type { Services } from '../services.ts'
import type { Keeper } from './keeper.ts'
import { untilEnd, type Begun, type End } from './once.ts'
import { forgetRuns, insertRun, markEnded, markStarted, runById, runsOf, type Run } from './queries/runs.ts'

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
/** These only wait; an app runs four at once (once.ts). */
const AT_ONCE = 256
const KEPT_MS = 90 * 86_400_000
export function openRuns({ database, clock, jobs }: Services, { sandbox, inTurn }: RunsDeps): Runs {
  jobs.daily('runs: forget', (on, now) => forgetRuns(on, new Date(now.getTime() - KEPT_MS)))
  jobs.handle(
    'process-run',
    async (job, signal) => {
      const run = await runById(database, String(job.data['run']))
      if (!run || run.endedAt !== null) return
      const end = run.startedAt === null ? await perform(run, signal) : INTERRUPTED
      if ((await runById(database, run.id))?.endedAt === null)
        await markEnded(database, { id: run.id, at: clock.now(), ...end })
    },
    { atOnce: AT_ONCE },
  )

  async function perform(run: Run, signal: AbortSignal): Promise<End> {
    await markStarted(database, run.id, clock.now())
    const { app, process, argv } = run
    const begun: Begun | Refusal = await inTurn(app, (keeper) => keeper.begin({ process, argv }))
    if (isRefusal(begun)) return { code: null, sentence: [begun.sentence, begun.nextStep ?? ''].join(' ').trim() }
    const { id } = begun.instance
    try {
      const end = await untilEnd({ sandbox, clock }, { id, timeoutMs: LONGEST_MS, signal })
      // What is known of its end is kept, whatever happens to its sandbox.
      await markEnded(database, { id: run.id, at: clock.now(), ...end })
      return end
    } finally {
      await inTurn(app, (keeper) => keeper.finish(begun, 'ended'))
    }
  }

  return {
    async request(tx, { app, process, argv, by }) {
      const id = newId({ nowMs: clock.now().getTime() })
      const name = process ?? `run-${id.slice(-6)}`
      const run = await insertRun(tx, { id, app, process: name, argv, askedBy: by, askedAt: clock.now() })
      await jobs.enqueue(tx, 'process-run', { run: id }, { key: id })
      return run
    },
    find: async (id) => (await runById(database, id)) ?? null,
    list: (app, limit) => runsOf(database, app, limit),
  }
}

const INTERRUPTED: End = { code: null, sentence: 'was interrupted when the node was restarted' }
