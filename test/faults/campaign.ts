/**
 * A node with people on it, and somebody who kills its programs one after the other, each at the beginning of a phase
 * of its work and a moment later; after each kill the oracle is asked.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEFAULT_PRICE_BOOK, isRefusal, methods, type PriceBook } from '@perennial/protocol'
import { allProcesses, gitRemote, openTestNode, until, type Program, type TestNode } from '@perennial/testnet'
import { otherPrices } from '../e2e/prices.ts'
import { openAcknowledgements, type Acknowledgements } from './acknowledgements.ts'
import { openAudit, type Audit } from './audit.ts'
import { chance } from './chance.ts'
import { watchCounters } from './counters.ts'
import { gather, type Crowd } from './crowd.ts'
import { openOracle, type Findings, type Oracle } from './oracle.ts'
import { PHASES, watchPhases, type Phase } from './phases.ts'
import { violations } from './report.ts'

export interface Kill extends Findings {
  readonly phase: Phase
  readonly program: Program
  /** Killed at the same moment. */
  readonly atOnce: readonly Program[]
  /** After the phase's line. */
  readonly afterMs: number
  /** When the node was killed once more, while everything was coming back; null: it was not. */
  readonly againMs: number | null
  /** Until the node answered again. */
  readonly recoveredMs: number
  /** Payments acknowledged since the last kill's check. */
  readonly acknowledged: number
}

export interface Outcome {
  readonly kills: readonly Kill[]
  readonly end: Findings & { readonly missingMs: number }
  /** Phases that were drawn and did not come in time. */
  readonly missed: readonly Phase[]
  readonly failedDeployments: readonly string[]
  readonly statuses: ReadonlyMap<number, number>
}

/** What a test may look at, or plant something in, before the end is checked. */
export interface Scene {
  readonly node: TestNode
  readonly file: Acknowledgements
  readonly crowd: Crowd
  readonly oracle: Oracle
  readonly audit: Audit
}

const PHASE_MS = 40_000
const PROVOKE_EVERY_MS = 8_000
const ANSWER_MS = 240_000
/** What dies younger than this is started again after ever longer pauses (packages/cli/src/bootstrap/supervise.ts). */
const WELL_MS = 5_000
/** What is killed, and how often. */
export const PROGRAMS: readonly Program[] = [...Array<Program>(7).fill('node'), 'sandboxd', 'postgres', 'haproxy']
/** Memory at a price that empties a purse in seconds; CPU time at one that tells milliseconds apart. */
const PRICES: PriceBook['prices'] = {
  ...DEFAULT_PRICE_BOOK.prices,
  memory: { micros: 8_000n, per: 2n ** 20n * 1000n },
  cpu: { micros: 1n, per: 10_000n },
  build: { micros: 50n, per: 1_000_000_000n },
}

export async function campaign(
  options: { kills: number; seed: number; programs?: readonly Program[]; say: (line: string) => void },
  atEnd: (scene: Scene) => Promise<void> = () => Promise.resolve(),
): Promise<Outcome> {
  const { seed, say } = options
  const drawn = chance(seed)
  const phaseBag = drawn.bag(PHASES)
  const programBag = drawn.bag(options.programs ?? PROGRAMS)
  const folder = mkdtempSync('/var/tmp/pn-faults-')
  let good = false
  // A run that found something leaves what its people and the node wrote.
  using _ = {
    [Symbol.dispose]: () => (good ? rmSync(folder, { recursive: true }) : say(`what was written is kept in ${folder}`)),
  }
  using prices = otherPrices(PRICES)
  using file = openAcknowledgements(join(folder, 'acknowledgements'))
  await using remote = await gitRemote()
  await using node = await openTestNode({
    remotes: [remote],
    env: {
      PERENNIAL_PRICE_BOOK: prices.path,
      PERENNIAL_ALLOWANCE: '0',
      PERENNIAL_LOG_LEVEL: 'debug',
      PERENNIAL_IDLE_SECONDS: '2',
      PERENNIAL_APP_MEMORY_MIB: '128',
    },
  })
  using _logs = { [Symbol.dispose]: () => keepLogs(node.data, folder) }
  using counters = watchCounters(join(node.data, 'sandbox'))
  await using audit = await openAudit(node.data)
  const crowd = await gather({ node, remote, file, seed })
  using phases = watchPhases(join(node.data, 'log/node.log'))
  const oracle = openOracle({ crowd, file, counters, audit, prices: PRICES })

  const kills: Kill[] = []
  const missed: Phase[] = []
  let acknowledged = 0
  let answeredMs = performance.now()
  while (kills.length < options.kills) {
    await sleep(Math.max(0, answeredMs + WELL_MS - performance.now()))
    const phase = missed.length > 0 && drawn.below(2) === 0 ? missed.pop()! : phaseBag()
    if (!(await reach(phase))) {
      missed.push(phase)
      say(`phase ${phase} did not come within ${PHASE_MS / 1000} s; it is tried again`)
      if (missed.length > 3 * PHASES.length) break
      continue
    }
    const afterMs = drawn.below(3) > 0 ? drawn.below(31) : drawn.below(1_000)
    await sleep(afterMs)
    const program = programBag()
    const startedMs = performance.now()
    await until(`${program} runs`, () => node.pid(program) !== undefined, ANSWER_MS)
    const atOnce = drawn.below(8) === 0 ? others(program) : []
    for (const one of [program, ...atOnce]) killIfRunning(node, one)
    const againMs = drawn.below(4) === 0 ? drawn.below(4_000) : null
    if (againMs !== null) {
      await sleep(againMs)
      killIfRunning(node, 'node')
    }
    await answersAgain(node)
    answeredMs = performance.now()
    const recoveredMs = Math.round(answeredMs - startedMs)
    const before = acknowledged
    const findings = await oracle.check()
    acknowledged = file.read().filter(({ paid }) => paid !== null).length
    const kill = {
      phase,
      program,
      atOnce,
      afterMs,
      againMs,
      recoveredMs,
      acknowledged: acknowledged - before,
      ...findings,
    }
    kills.push(kill)
    say(`${kills.length}. ${sentenceOf(kill)}`)
  }

  await crowd.leave()
  await atEnd({ node, file, crowd, oracle, audit })
  await rest(node, crowd)
  const end = await oracle.checkEnd(kills.length)
  const { failed: failedDeployments, statuses } = crowd.town
  const outcome = { kills, end, missed, failedDeployments, statuses }
  good = violations(outcome).length === 0
  return outcome

  async function reach(phase: Phase): Promise<boolean> {
    for (let waited = 0; waited < PHASE_MS; waited += PROVOKE_EVERY_MS) {
      const coming = phases.next(phase, PROVOKE_EVERY_MS)
      await crowd.provoke(phase)
      if (await coming) return true
    }
    return false
  }
}

function keepLogs(data: string, folder: string): void {
  cpSync(join(data, 'log'), join(folder, 'log'), { recursive: true })
  cpSync(join(data, 'node/pg/log'), join(folder, 'log/postgresql.log'))
  writeFileSync(
    join(folder, 'log/processes'),
    allProcesses()
      .map(({ pid, parent, command }) => `${pid} ${parent} ${command}\n`)
      .join(''),
  )
}

function others(program: Program): Program[] {
  return [...new Set(PROGRAMS)].filter((one) => one !== program)
}

function killIfRunning(node: TestNode, program: Program): void {
  if (node.pid(program) !== undefined) node.kill9(program)
}

async function answersAgain(node: TestNode): Promise<void> {
  await until(
    'every program runs again and the node answers',
    async () => {
      if ((['node', 'sandboxd', 'postgres', 'haproxy'] as const).some((one) => node.pid(one) === undefined))
        return false
      const signal = AbortSignal.timeout(10_000)
      const answer = await node.client.call(methods.ledger.account, { account: 'commons' }, { signal })
      return !isRefusal(answer)
    },
    ANSWER_MS,
  )
}

/** Every build ends, and every app is stopped by its admin: everything is charged, nothing is held. */
async function rest(node: TestNode, { town, deployers }: Crowd): Promise<void> {
  for (const app of town.apps) {
    await until(
      `${app.name} is not being built`,
      async () => {
        const { deployment } = await node.app(app.slug)
        return !['fetching', 'building', 'starting'].includes(deployment?.status ?? '')
      },
      120_000,
    )
    await until(
      `${app.name} stops`,
      async () => {
        await deployers.stop(app)
        return (await node.app(app.slug)).instances.length === 0
      },
      120_000,
    )
  }
}

function sentenceOf({
  phase,
  program,
  atOnce,
  afterMs,
  againMs,
  recoveredMs,
  acknowledged,
  ...findings
}: Kill): string {
  const problems = Object.entries(findings).flatMap(([kind, sentences]) =>
    sentences.map((one) => `\n    ${kind}: ${one}`),
  )
  const again = againMs === null ? '' : ` and the node ${againMs} ms later`
  const when = `${[program, ...atOnce].join(', ')} killed ${afterMs} ms into ${phase}${again}`
  return `${when}, answers after ${recoveredMs} ms, ${acknowledged} payments acknowledged${problems.join('')}`
}
