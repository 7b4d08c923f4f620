/** A command of an app that runs once, in a sandbox like its web process: release phase, what was asked for, what was due. */
import { isRefusal, refuse, type Refusal } from '@perennial/protocol'
import { SandboxRefused, type Exit, type SandboxClient } from '@perennial/sandbox/client'
import type { Logs } from '../apps/index.ts'
import type { Services } from '../services.ts'
import type { Launcher } from './launch.ts'
import { liveSides, type Instance } from './queries.ts'
import type { Target } from './target.ts'

export interface OnceTask {
  /** As its lines are named in the app's log. */
  readonly process: string
  readonly argv: readonly string[]
}

export interface Begun {
  readonly instance: Instance
}

export interface OnceDeps {
  readonly logs: Pick<Logs, 'append'>
  readonly launcher: Launcher
  readonly letGo: (but: Instance) => Promise<void>
  readonly sandbox: SandboxClient
  readonly stopping: AbortSignal
}

export interface Once {
  begin(task: Target & OnceTask): Promise<Begun | Refusal>
  finish(begun: Begun, reason: string): Promise<void>
  /** From its beginning to its end. Null: it ended with 0. */
  through(task: Target & OnceTask): Promise<Refusal | null>
}

/** Of one app at once. */
const MOST_AT_ONCE = 4
/** Each question for its end is open this long. */
const ASK_MS = 5_000
/** A release phase takes this long at most, as people know it from elsewhere. */
const RELEASE_MS = 5 * 60_000

export function openOnce({ database, clock }: Services, deps: OnceDeps, appId: string): Once {
  const { logs, launcher, letGo, sandbox, stopping } = deps

  async function begin({ app, release, payer, process, argv }: Target & OnceTask): Promise<Begun | Refusal> {
    if ((await liveSides(database, appId)).filter(({ once }) => once).length >= MOST_AT_ONCE)
      return refuse(
        'client-error/conflict',
        `${app.name} runs ${MOST_AT_ONCE} commands at once already.`,
        'Wait until one has ended.',
      )
    const instance = await launcher.launch({ app, release, payer, process, argv, letGo, once: true, deployment: null })
    if (isRefusal(instance)) return instance
    await launcher.note(instance, 'awake', { ...(instance.address !== null && { address: instance.address }) })
    return { instance }
  }

  const finish = ({ instance }: Begun, reason: string): Promise<void> => launcher.retire(instance, reason)

  return {
    begin,
    finish,
    async through(task) {
      const begun = await begin(task)
      if (isRefusal(begun)) return begun
      const { id } = begun.instance
      const waited = untilEnd({ sandbox, clock }, { id, timeoutMs: RELEASE_MS, signal: stopping })
      const end = await waited.finally(() => finish(begun, 'ended'))
      await logs.append(appId, 'node', [
        { level: end.code === 0 ? 'ok' : 'warn', text: `${task.process} ${end.sentence}` },
      ])
      if (end.code === 0) return null
      return refuse(
        'client-error/conflict',
        `The ${task.process} phase ${end.sentence}; what ran before goes on.`,
        'Its log says what it printed.',
      )
    },
  }
}

export interface End {
  /** Null: it did not come to an end of its own. */
  readonly code: number | null
  readonly sentence: string
}

/** Waits for the end of a sandbox, which at `timeoutMs` is made. Throws when the signal aborts. */
export async function untilEnd(
  { sandbox, clock }: { sandbox: SandboxClient; clock: Services['clock'] },
  { id, timeoutMs, signal }: { id: string; timeoutMs: number; signal: AbortSignal },
): Promise<End> {
  const untilMs = clock.monotonicMs() + timeoutMs
  try {
    for (;;) {
      signal.throwIfAborted()
      const leftMs = untilMs - clock.monotonicMs()
      const exit = await sandbox.wait({ id, timeoutMs: Math.max(0, Math.min(ASK_MS, Math.ceil(leftMs))) })
      if (exit) return endOf(exit)
      if (leftMs > 0) continue
      await sandbox.stop({ id, graceMs: 1_000 })
      return { code: null, sentence: `was stopped after ${timeoutMs / 1000} s` }
    }
  } catch (error) {
    // The app was stopped meanwhile, and it with the app.
    if (error instanceof SandboxRefused && error.code === 'missing')
      return { code: null, sentence: 'was stopped before its end' }
    throw error
  }
}

const endOf = ({ code, reason, sentence }: Exit): End => ({ code: reason === 'exited' ? code : null, sentence })
