/**
 * One sandbox of a build, from its start to its removal: watched for time, CPU and output.
 *
 * Its row is stored before it starts and the kernel's last reading before it is removed, so a node that is killed
 * at any moment finds it again (`removeLeft`) and forgets nothing that it used.
 */
import type { Exit, Sandbox, SandboxClient, SandboxSpec } from '@perennial/sandbox/client'
import type { Refusal } from '@perennial/protocol'
import { openOutput, type OutputLine } from '../output.ts'
import type { Outbound } from '../outbound/index.ts'
import type { Services } from '../services.ts'
import type { StepName } from './deployment.ts'
import { insertSandbox, markRemoved, sandboxesLeft, storeReading } from './queries/sandboxes.ts'

export interface Task {
  readonly deployment: string
  readonly attempt: number
  readonly step: StepName
  readonly spec: SandboxSpec
  /** On the monotonic clock. */
  readonly deadlineMs: number
  /** What it may still use. */
  readonly cpuNs: bigint
  readonly lines: (lines: readonly OutputLine[]) => Promise<void>
  /** Aborted when the node closes: the sandbox is stopped and left for the next start. */
  readonly signal: AbortSignal
}

export interface Ran {
  readonly end:
    | { readonly how: 'exited'; readonly exit: Exit }
    | { readonly how: 'too-long' }
    | { readonly how: 'too-much-cpu' }
  readonly cpuNs: bigint
  readonly oomKills: number
  /** What a door refused it. */
  readonly refused: Refusal | null
}

export interface Sandboxes {
  run(task: Task): Promise<Ran>
  /** Stops and removes what earlier attempts left; of one deployment or of all that are over. */
  removeLeft(deployment?: string): Promise<void>
}

/** How often a running build is looked at: its output on the page is at most this old. */
const LOOK_MS = 500

export function openSandboxes(
  { database, clock }: Pick<Services, 'database' | 'clock'>,
  { sandbox, outbound }: { sandbox: SandboxClient; outbound: Outbound },
): Sandboxes {
  async function run(task: Task): Promise<Ran> {
    const { deployment, attempt, step, spec, signal } = task
    await insertSandbox(database, { id: spec.id, deployment, attempt, step, at: clock.now() })
    const started = await sandbox.start(spec)
    const output = openOutput(sandbox.logPath(spec.id))
    try {
      const end = await watch(task, async () => print(task, await output.read()))
      for (let lines = await output.read(); lines.length > 0; lines = await output.read()) await print(task, lines)
      await print(task, output.rest())
      const { cpuNs, oomKills } = await reading(spec.id)
      const refused = outbound.refusal(started.address)
      await remove({ id: spec.id, address: started.address })
      return { end, cpuNs, oomKills, refused }
    } catch (error) {
      if (signal.aborted) await sandbox.stop({ id: spec.id, graceMs: 0 })
      throw error
    } finally {
      await output.close()
    }
  }

  async function watch(
    { spec: { id }, deadlineMs, cpuNs: most, signal }: Task,
    look: () => Promise<void>,
  ): Promise<Ran['end']> {
    for (;;) {
      signal.throwIfAborted()
      const leftMs = deadlineMs - clock.monotonicMs()
      const exit = await sandbox.wait({ id, timeoutMs: Math.max(0, Math.min(LOOK_MS, Math.ceil(leftMs))) })
      await look()
      if (exit) return { how: 'exited', exit }
      const { cpuNs } = await reading(id)
      if (cpuNs >= most || leftMs <= 0) {
        await sandbox.stop({ id, graceMs: 0 })
        return { how: cpuNs >= most ? 'too-much-cpu' : 'too-long' }
      }
    }
  }

  /** The kernel's counters now, stored. */
  async function reading(id: string): Promise<{ cpuNs: bigint; oomKills: number }> {
    const found = (await sandbox.read()).find((one) => one.id === id)
    if (!found) return { cpuNs: 0n, oomKills: 0 }
    await storeReading(database, id, found.cpuNs)
    return found
  }

  async function print(task: Task, lines: readonly OutputLine[]): Promise<void> {
    if (lines.length > 0) await task.lines(lines)
  }

  async function remove({ id, address }: Pick<Sandbox, 'id'> & { address?: string | undefined }): Promise<void> {
    await sandbox.remove({ id })
    if (address !== undefined) outbound.forget(address)
    await markRemoved(database, id, clock.now())
  }

  return {
    run,
    async removeLeft(deployment) {
      const left = await sandboxesLeft(database, deployment)
      if (left.length === 0) return
      const addresses = new Map((await sandbox.list()).map(({ id, address }) => [id, address]))
      for (const { id } of left) {
        if (addresses.has(id)) {
          await sandbox.stop({ id, graceMs: 0 })
          await reading(id)
        }
        await remove({ id, address: addresses.get(id) })
      }
    },
  }
}
