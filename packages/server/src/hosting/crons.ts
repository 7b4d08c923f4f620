/**
 * What apps want done at set times. An entry's next time is moved on in the transaction that asks for the run, so each
 * time is asked for once; after a night without a node, what was missed is done once, not as often as it was missed.
 */
import { permitted } from '@perennial/protocol'
import type { Apps } from '../apps/index.ts'
import type { Transaction } from '../database.ts'
import type { Services } from '../services.ts'
import type { Plan } from '../source/index.ts'
import { dueEntries, keepEntries, moveOn, storeEntry, type Entry } from './queries/crons.ts'
import { hasRun } from './queries/runs.ts'
import type { Runs } from './runs.ts'
import { nextDue } from './schedule.ts'

export interface Crons {
  /** In the transaction in which a release becomes the app's. */
  follow(tx: Transaction, app: string, plan: Pick<Plan, 'cron'>): Promise<void>
  /** Asks for what is due. */
  look(): Promise<void>
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
      const moved = await moveOn(tx, { app: id, name }, { now, next: next ?? NEVER })
      if (!moved || !may || (await hasRun(tx, { app: id, process: name, open: true }))) return
      await runs.request(tx, { app: id, process: name, argv, by: null })
    })
  }

  return {
    async follow(tx, app, { cron }) {
      await keepEntries(
        tx,
        app,
        cron.map(({ name }) => name),
      )
      for (const entry of cron) {
        const next = nextDue(entry.schedule, clock.now())
        if (next !== null) await storeEntry(tx, { app, ...entry }, next)
      }
    },
    async look() {
      const due = await dueEntries(database, clock.now(), MOST_AT_ONCE)
      for (const entry of due) await ask(entry)
    },
  }
}
