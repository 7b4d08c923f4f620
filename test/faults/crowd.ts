/** Everybody at once: payers, visitors, developers; and what they do to bring a phase about. */
import type { TestNode, GitRemote } from '@perennial/testnet'
import type { Acknowledgements } from './acknowledgements.ts'
import { chance, type Chance } from './chance.ts'
import { openDeployers, type Deployers } from './deployers.ts'
import { openPayers, type Payers } from './payers.ts'
import type { Phase } from './phases.ts'
import { KINDS } from './sample-app.ts'
import type { Town, TownApp } from './town.ts'
import { openVisitors } from './visitors.ts'

export interface Crowd {
  readonly town: Town
  readonly payers: Payers
  readonly deployers: Deployers
  /** Does something from which this phase follows; whether it comes is the node's. */
  provoke(phase: Phase): Promise<void>
  /** Goes home; answers once nobody waits for an answer any more. */
  leave(): Promise<void>
}

const FIRST_PAYMENT = 400_000n
/** Longer than an app stays awake without visitors (campaign.ts sets how long that is). */
const QUIET_MS = 4_500

export async function gather({
  node,
  remote,
  file,
  seed,
}: {
  node: TestNode
  remote: GitRemote
  file: Acknowledgements
  seed: number
}): Promise<Crowd> {
  const town: Town = {
    node,
    remote,
    apps: [],
    deployments: [],
    halfMade: [],
    failed: [],
    statuses: new Map(),
  }
  const drawn = chance(seed + 1)
  const strangers = await Promise.all(Array.from({ length: 4 }, () => node.stranger()))
  const payers = openPayers(chance(seed + 2), { strangers, file })
  const visitors = openVisitors(chance(seed + 3), town)
  const deployers = openDeployers(town)
  await Promise.all(KINDS.map((kind) => deployers.found(kind, kind, (app) => payers.pay(app, FIRST_PAYMENT))))

  const home = new AbortController()
  const { signal } = home
  const busy = [payers.run(town.apps, signal), visitors.run(signal), visitors.run(signal), deployers.run(signal)]
  const underWay = new Set<Promise<unknown>>()

  const act = async (phase: Phase): Promise<void> => {
    const app = drawn.pick(town.apps)
    if (phase === 'fetch' || phase === 'build') return push(app, drawn)
    if (phase === 'start') {
      await deployers.stop(app)
      await deployers.start(app)
    }
    if (phase === 'charge') {
      await deployers.stop(app)
      await deployers.start(app)
    }
    if (phase === 'thaw' || phase === 'freeze') {
      visitors.stayAway(QUIET_MS)
      await payers.pay(app.id, 200_000n)
    }
    if (phase === 'thaw') await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
    if (phase === 'thaw') await Promise.all(town.apps.map((one) => visitors.visit(one)))
    if (phase === 'post' || phase === 'start') await payers.pay(app.id, 150_000n)
  }

  /** A running app has all its money on hold; a stopped one can pay for a build. */
  const push = async (app: TownApp, { pick }: Chance): Promise<void> => {
    if (pick([true, false])) {
      await deployers.push(app)
      await payers.pay(app.id, 200_000n)
      return
    }
    await deployers.stop(app)
    await payers.pay(app.id, 150_000n)
    await deployers.push(app)
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    await deployers.start(app)
  }

  return {
    town,
    payers,
    deployers,
    provoke(phase) {
      const acting = act(phase).finally(() => underWay.delete(acting))
      underWay.add(acting)
      return Promise.resolve()
    },
    async leave() {
      home.abort()
      await Promise.all([...busy, ...underWay])
    },
  }
}
