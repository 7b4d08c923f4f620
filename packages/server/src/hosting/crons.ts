/**
 * What apps want done at set times. An entry's next time is moved on in the transaction that asks for the run, so each
 * time is asked for once; after a night without a node, what was missed is done once, not as often as it was missed.
 */
import { permitted } from '@perennial/protocol'
import type { Apps } from '../apps/index.ts'
import type { Transaction } from '../database.ts'
import type { Services } from '../services.ts'
import type { Plan } from '../source/index.ts'
import type { Runs } from './runs.ts'
import { nextDue } from './schedule.ts'

export interface Crons {
  /** In the transaction in which a release becomes the app's. */
  follow(tx: Transaction, app: string, plan: Pick<Plan, 'cron'>): Promise<void>
  /** Asks for what is due. */
  look(): Promise<void>
}

interface Entry {
  readonly app: string
  readonly name: string
  readonly schedule: string
  readonly argv: readonly string[]
}

/** Of a look; the rest is found by the next. */
const MOST_AT_ONCE = 20
const NEVER = new Date('9999-01-01')

export function openCrons(
  { database, clock }: Pick<Services, 'database' | 'clock'>,
  { apps, runs }: { apps: Pick<Apps, 'find'>; runs: Pick<Runs, 'request'> },
): Crons {
  async function ask({ app: id, name, schedule, argv }: Entry): Promise<void> {
    const now = clock.now()
    const app = await apps.find(id)
    // An app that may not work in the background now misses its times, as its state says.
    const may = app !== null && !app.stopped && permitted(app.state).background
    const next = nextDue(schedule, now)
    await database.transaction(async (tx) => {
      const [moved] = await tx.query(
        'update cron_entry set next_at = $3 where app = $1 and name = $2 and next_at <= $4 returning 1',
        [id, name, next ?? NEVER, now],
      )
      const [under] = await tx.query('select 1 from process_run where app = $1 and process = $2 and ended_at is null', [
        id,
        name,
      ])
      if (moved && may && !under) await runs.request(tx, { app: id, process: name, argv, by: null })
    })
  }

  return {
    async follow(tx, app, { cron }) {
      await tx.query('delete from cron_entry where app = $1 and name <> all($2)', [app, cron.map(({ name }) => name)])
      for (const { name, schedule, argv } of cron) {
        const next = nextDue(schedule, clock.now())
        if (next === null) continue
        await tx.query(
          `insert into cron_entry (app, name, schedule, argv, next_at) values ($1, $2, $3, $4, $5)
           on conflict (app, name) do update set argv = excluded.argv, schedule = excluded.schedule,
             next_at = case when cron_entry.schedule = excluded.schedule then cron_entry.next_at else excluded.next_at end`,
          [app, name, schedule, JSON.stringify(argv), next],
        )
      }
    },
    async look() {
      const due = await database.query<Entry>(
        'select app, name, schedule, argv from cron_entry where next_at <= $1 order by next_at limit $2',
        [clock.now(), MOST_AT_ONCE],
      )
      for (const entry of due) await ask(entry)
    },
  }
}
