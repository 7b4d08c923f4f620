/**
 * Chores: programs of ours that work on an app's data in sandboxes of their own, and end. Metered like an instance of
 * the app, bounded in time; a node that was killed finds and removes what they left by its name.
 */
import { permitted, refuse, type Refusal } from '@perennial/protocol'
import { SandboxRefused, type Exit, type SandboxClient, type SandboxSpec } from '@perennial/sandbox/client'
import type { Apps } from '../../apps/index.ts'
import type { AccountName, Metering } from '../../metering/index.ts'
import type { Services } from '../../services.ts'

export interface Chore {
  readonly app: string
  readonly payer: AccountName
  readonly spec: SandboxSpec
  /** What it does, for the sentence that says that it failed: `the dump`. */
  readonly name: string
  readonly signal: AbortSignal
}

export interface Chores {
  /** Null once it has ended well. Its sandbox is gone in any case. */
  run(chore: Chore): Promise<Refusal | null>
  /** Removes what a killed node left. */
  sweep(): Promise<void>
}

export interface ChoresDeps {
  readonly sandbox: SandboxClient
  readonly apps: Pick<Apps, 'find'>
  readonly metering: Pick<Metering, 'attach' | 'detach'>
}

const OURS = /^k-/
const LOOK_MS = 1_000
const LONGEST_MS = 60 * 60_000

export function openChores({ clock }: Pick<Services, 'clock'>, { sandbox, apps, metering }: ChoresDeps): Chores {
  async function end(id: string): Promise<void> {
    await sandbox.stop({ id, graceMs: 0 }).catch((error: unknown) => {
      // It was refused before it began; whoever started it is told why.
      if (!(error instanceof SandboxRefused) || error.code !== 'missing') throw error
    })
    await metering.detach(id)
    await sandbox.remove({ id })
  }

  async function watch({ app, spec, name, signal }: Chore): Promise<Refusal | null> {
    const giveUpMs = clock.monotonicMs() + LONGEST_MS
    for (;;) {
      signal.throwIfAborted()
      const exit = await sandbox.wait({ id: spec.id, timeoutMs: LOOK_MS })
      if (exit) return exit.code === 0 ? null : failed(name, exit)
      if (clock.monotonicMs() > giveUpMs)
        return refuse(
          'server-error/cannot-complete-request',
          `${name} took longer than ${LONGEST_MS / 60_000} minutes.`,
        )
      if (!permitted((await apps.find(app))?.state ?? 'frozen').compute)
        return refuse(
          'request-declined/payment-required',
          `The money ran out before ${name} was done.`,
          'Pay any amount.',
        )
    }
  }

  return {
    async run(chore) {
      const { app, payer, spec } = chore
      const unpaid = await metering.attach({ app, instance: spec.id, payer })
      if (unpaid) return unpaid
      try {
        await sandbox.start(spec)
        return await watch(chore)
      } finally {
        await end(spec.id)
      }
    },
    async sweep() {
      for (const { id } of await sandbox.list()) if (OURS.test(id)) await end(id)
    },
  }
}

function failed(name: string, { reason, sentence }: Exit): Refusal {
  const why = reason === 'memory' ? 'it needed too much memory' : `it ${sentence}`
  return refuse('server-error/cannot-complete-request', `${name} failed: ${why}.`, 'Try again, or ask the operator.')
}
