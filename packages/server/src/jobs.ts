/**
 * Work that must happen, even if the process is killed: a row per job, run at least once, deleted when done.
 *
 * A handler is therefore idempotent. A failing job is tried again with back-off (1 s, 2 s, 4 s … 5 min) for as
 * long as its handler throws; a handler that has given up returns. Claims are leases: a killed node's jobs are
 * taken over when the lease ends, or at once by the same node (`owner`) when it starts again.
 */
import type { Clock } from './clock.ts'
import type { Database, Queryable } from './database.ts'
import type { Diagnostics } from './diagnostics.ts'

export type JobData = Readonly<Record<string, unknown>>
export interface Job {
  readonly id: bigint
  readonly kind: string
  readonly data: JobData
  /** 1 on the first try. */
  readonly attempt: number
}

export interface Jobs {
  /** Declares who does a kind of job, before `start`. `atOnce` bounds how many run at the same time (default 4). */
  handle(kind: string, run: (job: Job, signal: AbortSignal) => Promise<void>, options?: { atOnce?: number }): void
  /**
   * Adds a job in the caller's transaction. A key's jobs are one row: asked for again while it waits or backs off, it
   * runs at the earlier of both times; while it runs, it runs once more, at the earliest time asked for.
   */
  enqueue(tx: Queryable, kind: string, data: JobData, options?: { key?: string; runAt?: Date }): Promise<void>
  /** Declares what is done at each start and once a day from then on: forgetting, above all. */
  daily(kind: string, work: (on: Database, now: Date) => Promise<unknown>): void
  start(): Promise<void>
  /** Waits until nothing is due (for tests and shutdown of tests). */
  idle(): Promise<void>
  /** Stops taking jobs, aborts the running ones' signal and waits for them. */
  close(): Promise<void>
}

const LEASE_MS = 60_000
const DAY_MS = 86_400_000
const LONGEST_BACK_OFF_MS = 300_000

interface Kind {
  readonly run: (job: Job, signal: AbortSignal) => Promise<void>
  readonly atOnce: number
  running: number
}

export function openJobs(services: {
  database: Database
  clock: Clock
  diagnostics: Diagnostics
  owner: string
}): Jobs {
  const { database, clock, diagnostics, owner } = services
  const kinds = new Map<string, Kind>()
  const dailies: string[] = []
  /** At most `atOnce` of each kind. */
  const running = new Map<bigint, Promise<unknown>>()
  const stop = new AbortController()
  let wakeUp = () => {}
  let woken = false
  const wake = () => {
    woken = true
    wakeUp()
  }
  let looping: Promise<void> | undefined

  const claim = async (): Promise<Job[]> => {
    const free = [...kinds].filter(([, kind]) => kind.running < kind.atOnce)
    if (free.length === 0) return []
    const now = clock.now()
    // Not what runs here: a machine that slept finds its own leases over.
    const rows = await database.query<Job>(
      `update job set claimed_by = $1, claimed_until = $2, attempt = attempt + 1
        where id in (select id from job
                      where kind = any($3) and run_at <= $4 and (claimed_until is null or claimed_until < $4)
                        and id <> all($5)
                      order by run_at, id limit 1 for update skip locked)
       returning id, kind, data, attempt`,
      [owner, new Date(now.getTime() + LEASE_MS), free.map(([name]) => name), now, [...running.keys()]],
    )
    return rows
  }

  /** Deletes the job, or, if it was asked for again meanwhile, makes it wait anew. */
  const finish = async (job: Job): Promise<void> => {
    const gone = await database.query('delete from job where id = $1 and not again returning id', [job.id])
    if (gone.length > 0) return
    await database.query(
      'update job set again = false, attempt = 0, claimed_by = null, claimed_until = null where id = $1',
      [job.id],
    )
  }

  const runOne = async (job: Job, kind: Kind): Promise<void> => {
    kind.running++
    try {
      await kind.run(job, stop.signal)
      await finish(job)
    } catch (error) {
      if (stop.signal.aborted) {
        await database.query('update job set claimed_by = null, claimed_until = null where id = $1', [job.id])
        return
      }
      const waitMs = Math.min(1000 * 2 ** Math.min(job.attempt - 1, 20), LONGEST_BACK_OFF_MS)
      diagnostics.warn(`job ${job.kind} failed, next try in ${waitMs / 1000} s`, { job: job.id, data: job.data, error })
      await database.query(
        'update job set claimed_by = null, claimed_until = null, run_at = $2, error = $3 where id = $1',
        [job.id, new Date(clock.now().getTime() + waitMs), String(error).slice(0, 2000)],
      )
    } finally {
      kind.running--
    }
  }

  /** A row still says that its job runs here: the database was away when it ended. */
  let stale = false
  const putBack = async (): Promise<void> => {
    await database.query(
      'update job set claimed_by = null, claimed_until = null where claimed_by = $1 and not id = any($2)',
      [owner, [...running.keys()]],
    )
    stale = false
  }

  const loop = async (): Promise<void> => {
    let leaseAtMs = clock.monotonicMs()
    while (!stop.signal.aborted) {
      try {
        if (clock.monotonicMs() - leaseAtMs > LEASE_MS / 3 && running.size > 0) {
          leaseAtMs = clock.monotonicMs()
          await database.query('update job set claimed_until = $3 where claimed_by = $1 and id = any($2)', [
            owner,
            [...running.keys()],
            new Date(clock.now().getTime() + LEASE_MS),
          ])
        }
        if (stale) await putBack()
        const jobs = await claim()
        for (const job of jobs) {
          const kind = kinds.get(job.kind)
          if (!kind) continue
          const done = runOne(job, kind)
            .then(
              () => running.delete(job.id),
              (error: unknown) => {
                running.delete(job.id)
                stale = true
                diagnostics.warn(`job ${job.kind} is put back once the database answers`, { job: job.id, error })
              },
            )
            .finally(wake)
          running.set(job.id, done)
        }
        if (jobs.length > 0) continue
      } catch (error) {
        // What was claimed may have been claimed all the same.
        stale = true
        diagnostics.warn('jobs cannot reach the database; trying again', { error })
      }
      await pause(1000)
    }
  }

  /** Until a notification, a finished job or `ms` later; at once when one of them came since the last pause. */
  const pause = async (ms: number): Promise<void> => {
    if (!woken && !stop.signal.aborted)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        wakeUp = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    woken = false
  }

  const handle: Jobs['handle'] = (kind, run, options = {}) => {
    if (kinds.has(kind)) throw new Error(`job kind ${kind} has two handlers`)
    kinds.set(kind, { run, atOnce: options.atOnce ?? 4, running: 0 })
  }

  const enqueue: Jobs['enqueue'] = async (tx, kind, data, options = {}) => {
    await tx.query(
      `insert into job (kind, key, data, run_at) values ($1, $2, $3, $4)
       on conflict (kind, key) where key is not null do update set
         again = job.claimed_until is not null,
         run_at = case when job.claimed_until is not null and not job.again then excluded.run_at
                       else least(job.run_at, excluded.run_at) end`,
      [kind, options.key ?? null, JSON.stringify(data), options.runAt ?? clock.now()],
    )
    await tx.query(`notify job`)
  }

  return {
    handle,
    enqueue,
    daily(kind, work) {
      dailies.push(kind)
      handle(kind, async () => {
        await work(database, clock.now())
        await enqueue(database, kind, {}, { key: kind, runAt: new Date(clock.now().getTime() + DAY_MS) })
      })
    },
    async start() {
      await database.query('update job set claimed_by = null, claimed_until = null where claimed_by = $1', [owner])
      for (const kind of dailies) await enqueue(database, kind, {}, { key: kind })
      await database.listen('job', wake)
      looping = loop()
    },
    async idle() {
      for (;;) {
        await Promise.all(running.values())
        const due = await database.query('select 1 from job where run_at <= $1 limit 1', [clock.now()])
        if (due.length === 0 && running.size === 0) return
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    async close() {
      stop.abort()
      wake()
      await looping
      await Promise.all(running.values())
    },
  }
}
