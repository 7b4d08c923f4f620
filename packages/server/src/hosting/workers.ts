/** The workers of one app: as many of each as its release says, for as long as its money allows work in the background. */
import { isRefusal } from '@perennial/protocol'
import type { Exit } from '@perennial/sandbox/client'
import type { Logs } from '../apps/index.ts'
import type { Services } from '../services.ts'
import type { Launcher } from './launch.ts'
import { liveSides, type Instance } from './queries.ts'
import { isRight, mayWorkInBackground, type Target } from './target.ts'

export interface WorkersDeps {
  readonly logs: Pick<Logs, 'append'>
  readonly launcher: Launcher
  readonly letGo: (but: Instance) => Promise<void>
  readonly watch: (instance: Instance) => void
}

export interface Workers {
  /** Makes what runs what should run; null: nothing should. */
  follow(target: Target | null, reason: string): Promise<void>
  /** One ended by itself. */
  ended(instance: Instance, exit: Pick<Exit, 'sentence'> | null): Promise<void>
  /** When the next one that failed is to be tried again; null: none is. */
  readonly dueMs: number | null
}

const STEADY_MS = 60_000
const LONGEST_BACK_OFF_MS = 300_000

export function openWorkers(services: Services, deps: WorkersDeps, appId: string): Workers {
  const { database, clock } = services
  const { logs, launcher, letGo, watch } = deps
  /** By process; as many as a release names. */
  const backOff = new Map<string, { failures: number; untilMs: number; waiting: boolean }>()

  const live = async () => (await liveSides(database, appId)).filter(({ once }) => !once)

  function wantedOf(target: Target | null): Map<string, number> {
    if (!target || !mayWorkInBackground(target)) return new Map()
    const { formation, processes } = target.release.plan
    const named = Object.entries(formation).filter(([name]) => name !== 'web' && processes[name] !== undefined)
    return new Map(named.filter(([, count]) => count > 0))
  }

  function failed(process: string, ranMs: number): void {
    const before = ranMs > STEADY_MS ? 0 : (backOff.get(process)?.failures ?? 0)
    const waitMs = Math.min(1000 * 2 ** Math.min(before, 10), LONGEST_BACK_OFF_MS)
    backOff.set(process, { failures: before + 1, untilMs: clock.monotonicMs() + waitMs, waiting: true })
  }

  async function start(target: Target, process: string): Promise<void> {
    const { app, release, payer } = target
    const argv = release.plan.processes[process] ?? []
    try {
      const started = await launcher.launch({
        app,
        release,
        payer,
        process,
        once: false,
        argv,
        deployment: null,
        letGo,
      })
      if (isRefusal(started)) return failed(process, 0)
      await launcher.note(started, 'awake', { ...(started.address !== null && { address: started.address }) })
      const tried = backOff.get(process)
      if (tried) tried.waiting = false
      watch({ ...started, state: 'awake' })
    } catch (error) {
      failed(process, 0)
      throw error
    }
  }

  return {
    get dueMs() {
      const times = [...backOff.values()].filter(({ waiting }) => waiting).map(({ untilMs }) => untilMs)
      return times.length === 0 ? null : Math.min(...times)
    },
    async follow(target, reason) {
      const wanted = wantedOf(target)
      for (const process of backOff.keys()) if (!wanted.has(process)) backOff.delete(process)
      const running = new Map<string, number>()
      for (const row of await live()) {
        const count = running.get(row.process) ?? 0
        const right = row.state === 'awake' && target !== null && isRight(row, target)
        if (right && count < (wanted.get(row.process) ?? 0)) running.set(row.process, count + 1)
        else await launcher.retire(row, row.reason ?? reason)
      }
      if (!target) return
      for (const [process, count] of wanted) {
        if ((backOff.get(process)?.untilMs ?? 0) > clock.monotonicMs()) continue
        for (let at = running.get(process) ?? 0; at < count; at++) await start(target, process)
      }
    },
    async ended(instance, exit) {
      const row = (await live()).find(({ id }) => id === instance.id)
      if (!row) return
      const sentence = exit?.sentence ?? 'is gone without a trace'
      await launcher.retire(row, sentence)
      await logs.append(appId, 'node', [{ level: 'warn', text: `${row.process} ${sentence}` }])
      failed(row.process, clock.now().getTime() - row.startedAt.getTime())
    },
  }
}
