/** Visitors of the apps: whatever dies, nobody is ever shown a release that is not whole. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Chance } from './chance.ts'
import { commitOf } from './sample-app.ts'
import type { Town, TownApp } from './town.ts'

export interface Visitors {
  visit(app: TownApp): Promise<void>
  /** Visits by bursts, with pauses in which apps fall asleep, until aborted. */
  run(signal: AbortSignal): Promise<void>
  /** Nobody comes for so long. */
  stayAway(ms: number): void
}

/** Longer than the gateway holds a request. */
const ANSWER_MS = 45_000

export function openVisitors(drawn: Chance, town: Town): Visitors {
  let quietUntilMs = 0

  const visit = async (app: TownApp): Promise<void> => {
    const promised = app.running
    const answer = await read(town, app)
    const status = answer?.status ?? 0
    town.statuses.set(status, (town.statuses.get(status) ?? 0) + 1)
    const problem = answer && judge(answer, { app, promised })
    if (problem !== null) town.halfMade.push(problem)
  }

  return {
    visit,
    stayAway(ms) {
      quietUntilMs = Date.now() + ms
    },
    async run(signal) {
      const wait = (ms: number) => sleep(ms, undefined, { signal }).catch(() => undefined)
      while (!signal.aborted) {
        if (Date.now() < quietUntilMs) await wait(100)
        else {
          const app = drawn.pick(town.apps)
          await Promise.all(Array.from({ length: 1 + drawn.below(4) }, () => visit(app)))
          await wait(drawn.pick([20, 200, 1_000, 3_000]))
        }
      }
    },
  }
}

interface Answer {
  readonly status: number
  readonly text: string
}

/** Null: there was no whole answer, which whoever kills a gateway may expect. */
async function read({ node }: Town, { slug }: TownApp): Promise<Answer | null> {
  try {
    const response = await node.visit(slug, '/', { signal: AbortSignal.timeout(ANSWER_MS) })
    return { status: response.status, text: await response.text() }
  } catch {
    return null
  }
}

/** What is wrong with an answer; null for nothing. The node's own pages (unpaid, starting) have other statuses. */
export function judge(
  { status, text }: Answer,
  { app, promised }: { app: Pick<TownApp, 'name' | 'commits'>; promised: number },
): string | null {
  if (status !== 200) return null
  const number = commitOf(text, app.name)
  if (number === null || number > app.commits.size)
    return `${app.name} answered what none of its commits says: ${text.length} characters, ${JSON.stringify(text.slice(0, 80))}`
  if (number < promised) return `${app.name} answered commit ${number} after commit ${promised} was said to run`
  return null
}
