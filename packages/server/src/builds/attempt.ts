/**
 * One attempt to make a release: fetch, plan, build, pack. Everything happens on a scratch disk of its own that is
 * removed at the end; an attempt that a kill interrupts is started over by the next, from nothing.
 */
import type { SandboxClient, SandboxSpec } from '@perennial/sandbox/client'
import { SandboxRefused } from '@perennial/sandbox/client'
import { isRefusal } from '@perennial/protocol'
import { storeAbout, type App, type Apps } from '../apps/index.ts'
import type { Outbound } from '../outbound/index.ts'
import type { Services } from '../services.ts'
import {
  aboutRepository,
  describe,
  FETCH_LIMITS,
  fetchSpec,
  planBuild,
  readFetch,
  UnreadableFetch,
  type Fetched,
  type Plan,
  type Step,
} from '../source/index.ts'
import { buildEnvironment } from './environment.ts'
import { failed, type Built, type Failed, type Outcome } from './outcome.ts'
import {
  beginStep,
  describeStep,
  endStep,
  skipStep,
  updateDeployment,
  type DeploymentRow,
} from './queries/deployments.ts'
import type { BuildLog } from './build-log.ts'
import type { Images } from './images.ts'
import { formatReceipt } from './receipt.ts'
import type { Ran, Sandboxes } from './run-sandbox.ts'
import { whyStepFailed } from './sentences.ts'

export interface AttemptDeps {
  readonly sandbox: SandboxClient
  readonly sandboxes: Sandboxes
  readonly images: Pick<Images, 'pack'>
  readonly outbound: Outbound
  readonly apps: Pick<Apps, 'setAbout'>
  readonly builder: string
}

export interface Attempt {
  readonly deployment: Pick<DeploymentRow, 'id' | 'ref' | 'attempt'>
  readonly app: App
  /** What is paid for. */
  readonly cpuNs: bigint
  readonly log: BuildLog
  readonly signal: AbortSignal
}

const MIB = 2 ** 20
const SCRATCH_BYTES = 2048 * MIB
/** For /tmp: npm's cache, and what tools put there. */
const WRITABLE_BYTES = 1024 * MIB
const BUILD_PIDS = 512
/** Lines of what git says while it fetches. */
const MOST_SAID = 200
const BUILD_CPU_PERCENT = 200

export interface Attempts {
  make(attempt: Attempt): Promise<Outcome>
  /** Removes what attempts at a deployment left: sandboxes, and the scratch disk. */
  clear(deployment: string): Promise<void>
}

export function openAttempts(
  services: Pick<Services, 'config' | 'database' | 'clock' | 'diagnostics'>,
  deps: AttemptDeps,
): Attempts {
  const { config, database, clock, diagnostics } = services
  const { sandbox, sandboxes, images, outbound, apps, builder } = deps

  const shortOf = (id: string) => id.replaceAll('-', '')
  const scratchOf = (id: string) => `build-${shortOf(id)}`

  const clear = async (id: string): Promise<void> => {
    await sandboxes.removeLeft(id)
    await sandbox.removeScratch({ id: scratchOf(id) })
  }

  return { make: makeAttempt, clear }

  async function makeAttempt(attempt: Attempt): Promise<Outcome> {
    const { deployment, app, log, signal } = attempt
    const scratch = scratchOf(deployment.id)
    await clear(deployment.id)
    await sandbox.scratch({ id: scratch, sizeBytes: SCRATCH_BYTES })
    let usedNs = 0n
    let started = 0
    const idOfNext = () => `b-${shortOf(deployment.id)}-${deployment.attempt}-${++started}`

    const outcome = await make()
    signal.throwIfAborted()
    await sandbox.removeScratch({ id: scratch })
    return outcome

    async function make(): Promise<Outcome> {
      const fetched = await fetch()
      if ('kind' in fetched) return fetched
      const plan = planBuild(fetched)
      if (isRefusal(plan)) {
        await log.say('err', plan.sentence)
        if (plan.lookedFor.length > 0) await log.say('out', `Looked for and not found: ${plan.lookedFor.join(', ')}`)
        return failed(plan.sentence, plan.nextStep ?? null)
      }
      return (await build(plan)) ?? (await pack(fetched, plan))
    }

    async function fetch(): Promise<Fetched | Failed> {
      const url = app.url
      diagnostics.debug('phase', { phase: 'fetch', app: app.id })
      await beginStep(database, { deployment: deployment.id, name: 'fetch', detail: url, at: clock.now() })
      await updateDeployment(database, deployment.id, { status: 'fetching' })
      const may = await outbound.check(new URL(url))
      if (isRefusal(may)) return failed(may.sentence, may.nextStep ?? null)
      const lines: Record<'out' | 'err', string[]> = { out: [], err: [] }
      const spec = fetchSpec({
        id: idOfNext(),
        scratch,
        repository: { url },
        ref: deployment.ref,
        root: app.root,
        gitProxy: outbound.gitProxy,
      })
      await log.say('out', `Fetching ${url}${deployment.ref === null ? '' : ` at ${deployment.ref}`}`)
      const ran = await run('fetch', spec, clock.monotonicMs() + FETCH_LIMITS.timeoutMs, async (read) => {
        for (const { stream, bytes } of read) lines[stream].push(bytes.toString('utf8'))
        // A forge may talk as long as git runs; its last words are what is quoted.
        if (lines.err.length > MOST_SAID) lines.err.splice(0, lines.err.length - MOST_SAID)
        await log.print(read.filter(({ stream }) => stream === 'err'))
      })
      if (ran.end.how === 'too-much-cpu')
        return failed('Fetching used all the CPU time that is paid for.', 'Pay for the app and deploy again.')
      const exit = ran.end.how === 'exited' ? ran.end.exit : null
      const found = readOrRefuse({ ...lines, exit, refused: ran.refused, url, ref: deployment.ref, root: app.root })
      if ('kind' in found) return found
      await noteFetched(found)
      return found
    }

    async function noteFetched(fetched: Fetched): Promise<void> {
      const detail = `${fetched.commit.slice(0, 7)} ${fetched.subject}`.slice(0, 200)
      await log.say('ok', `Fetched ${detail}`)
      const about = aboutRepository(fetched)
      await database.transaction(async (tx) => {
        await updateDeployment(tx, deployment.id, {
          commit: fetched.commit,
          subject: fetched.subject,
          committedAt: fetched.committedAt,
        })
        await describeStep(tx, { deployment: deployment.id, name: 'fetch', detail })
        await endStep(tx, { deployment: deployment.id, name: 'fetch', status: 'done', at: clock.now() })
        await apps.setAbout(tx, { app: app.id, description: describe(fetched), ref: app.ref })
        await storeAbout(tx, app.id, about)
      })
    }

    /** Null when every step went well. */
    async function build(plan: Plan): Promise<Failed | null> {
      const step = { deployment: deployment.id, name: 'build' as const, detail: plan.sentence }
      diagnostics.debug('phase', { phase: 'build', app: app.id })
      await log.say('out', plan.sentence)
      for (const note of plan.notes) await log.say('warn', note)
      if (plan.lookedFor.length > 0) await log.say('out', `Looked for and not found: ${plan.lookedFor.join(', ')}`)
      await updateDeployment(database, deployment.id, { status: 'building' })
      if (plan.steps.length === 0) {
        await skipStep(database, step)
        return null
      }
      await beginStep(database, { ...step, at: clock.now() })
      const deadlineMs = clock.monotonicMs() + config.build.timeoutMs
      for (const one of plan.steps) {
        await log.say('out', `$ ${one.title}`)
        const spec = buildSpec(plan, one)
        const ran = await run('build', spec, deadlineMs, (lines) => log.print(lines))
        const why = whyStepFailed({
          step: one,
          ran,
          tail: log.tail(),
          limits: { ...config.build, diskBytes: SCRATCH_BYTES, cpuNs: attempt.cpuNs },
        })
        if (why) return why
      }
      return null
    }

    function buildSpec(plan: Plan, step: Step): SandboxSpec {
      const { packageDoor } = outbound
      return {
        id: idOfNext(),
        image: plan.buildImage ?? 'build-24',
        scratch,
        writableBytes: WRITABLE_BYTES,
        argv: step.argv,
        env: buildEnvironment({ origin: packageDoor.origin, plan, step }),
        cwd: step.cwd === '' ? '/app' : `/app/${step.cwd}`,
        user: 'app',
        limits: { memoryBytes: config.build.memoryBytes, pids: BUILD_PIDS, cpuPercent: BUILD_CPU_PERCENT },
        network: { doors: [{ address: packageDoor.address, port: packageDoor.port }] },
      }
    }

    async function pack(fetched: Fetched, plan: Plan): Promise<Built | Failed> {
      const { packPath: path } = plan
      try {
        const release = await images.pack({ deployment: deployment.id, scratch, path })
        const names = ['git' as const, ...(plan.buildImage === null ? [] : [plan.buildImage]), plan.runImage]
        const runtimes = await Promise.all(
          names.map(async (name) => [name, (await sandbox.image({ name })).sha256] as const),
        )
        const parts = {
          app: app.id,
          deployment: deployment.id,
          repository: app.url,
          fetched,
          plan,
          images: Object.fromEntries(runtimes),
        }
        const receipt = formatReceipt({ ...parts, release, builder, at: clock.now() })
        await endStep(database, { deployment: deployment.id, name: 'build', status: 'done', at: clock.now() })
        return { kind: 'built', ...release, commit: fetched.commit, plan, receipt }
      } catch (error) {
        // The build removed, or replaced by a link, what it was to leave; or left what no image can hold.
        if (!(error instanceof SandboxRefused) || (error.code !== 'missing' && error.code !== 'invalid')) throw error
        if (path === null) return failed(`The release cannot be packed: ${error.message}.`, 'See the build log.')
        return failed(`The build left no folder ${path}.`, 'See the build log.')
      }
    }

    async function run(
      step: 'fetch' | 'build',
      spec: SandboxSpec,
      deadlineMs: number,
      lines: BuildLog['print'],
    ): Promise<Ran> {
      const ids = { deployment: deployment.id, attempt: deployment.attempt, step }
      const ran = await sandboxes.run({ ...ids, spec, deadlineMs, cpuNs: attempt.cpuNs - usedNs, lines, signal })
      usedNs += ran.cpuNs
      return ran
    }
  }
}

function readOrRefuse(outcome: Parameters<typeof readFetch>[0]): Fetched | Failed {
  try {
    const found = readFetch(outcome)
    return isRefusal(found) ? failed(found.sentence, found.nextStep ?? null) : found
  } catch (error) {
    if (error instanceof UnreadableFetch)
      return failed(`${outcome.url} could not be read: ${error.message}.`, 'Deploy another commit.')
    throw error
  }
}
