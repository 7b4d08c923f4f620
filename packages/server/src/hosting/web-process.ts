/** Starts an app's web process and waits until it answers; only then do visitors come. */
import { isRefusal, refuse, type Limits, type Refusal } from '@perennial/protocol'
import type { SandboxClient } from '@perennial/sandbox/client'
import type { Clock } from '../clock.ts'
import { untilHealthy } from './health.ts'
import type { Launch, Launcher } from './launch.ts'
import type { Instance } from './queries.ts'
import { APP_PORT } from './spec.ts'

export interface WebProcessDeps {
  readonly clock: Clock
  readonly sandbox: SandboxClient
  readonly launcher: Launcher
  readonly limits: Limits
  /** The node stops: nobody waits for an answer any more. */
  readonly stopping: AbortSignal
  /** It answers: its visitors may come. */
  readonly open: (instance: Instance & { readonly address: string }) => Promise<void>
}

/** The new instance once it answers; else why not. */
export async function startWebProcess(
  launch: Omit<Launch, 'process' | 'once' | 'argv'>,
  { clock, sandbox, launcher, limits, stopping, open }: WebProcessDeps,
): Promise<Instance | Refusal> {
  const { plan } = launch.release
  const started = await launcher.launch({ ...launch, process: 'web', once: false, argv: plan.web })
  if (isRefusal(started)) return started
  const address = started.address ?? ''
  try {
    const unhealthy = await untilHealthy(clock, {
      ...plan.health,
      address,
      port: APP_PORT,
      ended: async () => (await sandbox.wait({ id: started.id, timeoutMs: 0 }))?.sentence ?? null,
      signal: stopping,
    })
    if (unhealthy !== null) {
      await launcher.retire(started, unhealthy)
      return refuse('server-error/cannot-complete-request', `The app ${unhealthy}.`, 'Its log says what it printed.')
    }
    // The limit that is sold begins here: a start is faster without it.
    await sandbox.limit({ id: started.id, cpuPercent: limits.cpuPercent })
    await launcher.note(started, 'awake', { address })
    const awake = { ...started, state: 'awake', address } as const
    await open(awake)
    return awake
  } catch (error) {
    // The caller tries again.
    await launcher.discard(started)
    throw error
  }
}
