/** An app's database sleeps and stops with the last of its processes. */
import type { Queryable } from '../database.ts'
import type { Data } from './data/index.ts'
import { liveInstances, liveSides } from './queries.ts'

export interface Rest {
  /** No worker runs, and no command. */
  alone(): Promise<boolean>
  /** After one of its processes left or fell asleep. */
  data(): Promise<void>
}

export function openRest(database: Queryable, data: Pick<Data, 'sleep' | 'stop'>, app: string): Rest {
  const alone = async (): Promise<boolean> => (await liveSides(database, app)).length === 0
  return {
    alone,
    async data() {
      if (!(await alone())) return
      const states = (await liveInstances(database, app)).map(({ state }) => state)
      if (states.length === 0) await data.stop(app)
      else if (states.every((state) => state === 'asleep')) await data.sleep(app)
    },
  }
}
