/** Developers who push a commit and press Deploy, and look how it goes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isRefusal, methods } from '@perennial/protocol'
import { until } from '@perennial/testnet'
import { filesOf, type Kind } from './sample-app.ts'
import type { Deployment, Town, TownApp } from './town.ts'

const ANSWER_MS = 20_000
const LOOK_MS = 300

export interface Deployers {
  /** A new app; `pay` brings what its build needs. Answers once it runs. */
  found(name: string, kind: Kind, pay: (app: string) => Promise<unknown>): Promise<TownApp>
  /** The next commit. Answers once the node took it, or did not. */
  push(app: TownApp): Promise<void>
  /** A deployment that somebody saw on the app's page. */
  note(app: TownApp, id: string): Deployment
  stop(app: TownApp): Promise<void>
  start(app: TownApp): Promise<void>
  /** Looks at what is not finished, and tells the node what it did not hear, until aborted. */
  run(signal: AbortSignal): Promise<void>
}

export function openDeployers(town: Town): Deployers {
  const { node, remote } = town
  const signal = () => ({ signal: AbortSignal.timeout(ANSWER_MS) })

  const note = (app: TownApp, id: string): Deployment => {
    const known = town.deployments.find((one) => one.id === id)
    if (known) return known
    const deployment = { id, app, ended: false }
    town.deployments.push(deployment)
    return deployment
  }

  const look = async (deployment: Deployment): Promise<void> => {
    const now = await node.client.call(methods.apps.deployment, { id: deployment.id }, signal())
    if (isRefusal(now)) throw new Error(`deployment ${deployment.id}: ${now.sentence}`)
    const { app } = deployment
    if (!['running', 'failed', 'replaced'].includes(now.status)) return
    deployment.ended = true
    const number = app.commits.get(now.commit?.hash ?? '') ?? 0
    if (now.status === 'running') app.running = Math.max(app.running, number)
    if (now.status === 'failed') town.failed.push(`${app.name} commit ${number}: ${now.problem}`)
  }

  /** Stops or runs it; what the node did not hear is told again. */
  const tell = async (app: TownApp, paused: boolean): Promise<void> => {
    app.paused = paused
    app.untold = true
    try {
      const answer = await node.client.call(methods.apps[paused ? 'stop' : 'run'], { app: app.id }, signal())
      if (app.paused === paused) app.untold = isRefusal(answer)
    } catch {
      // It is away.
      return
    }
  }

  return {
    async found(name, kind, pay) {
      const repository = `town/${name}`
      const hash = await remote.commit(repository, filesOf(kind, { name, number: 1 }), 'commit 1')
      const asked = await node.client.call(methods.apps.deploy, { url: remote.url(repository) })
      if (isRefusal(asked)) throw new Error(asked.sentence)
      const { id, slug } = asked.app
      const app: TownApp = {
        name,
        kind,
        url: remote.url(repository),
        id,
        slug,
        commits: new Map([[hash, 1]]),
        running: 0,
        paused: false,
        untold: false,
      }
      town.apps.push(app)
      const first = note(app, asked.deployment.id)
      await pay(id)
      await until(`${name} runs`, () => first.ended || look(first).then(() => false), 300_000)
      if (app.running === 0) throw new Error(town.failed.join('; '))
      return app
    },
    async push(app) {
      const number = app.commits.size + 1
      const hash = await remote.commit(
        `town/${app.name}`,
        filesOf(app.kind, { name: app.name, number }),
        `commit ${number}`,
      )
      app.commits.set(hash, number)
      try {
        const asked = await node.client.call(methods.apps.deploy, { url: app.url }, signal())
        if (!isRefusal(asked)) note(app, asked.deployment.id)
      } catch {
        // The node is away. If it took the request all the same, the next push is told of that deployment.
        return
      }
    },
    note,
    stop: (app) => tell(app, true),
    start: (app) => tell(app, false),
    async run(aborted) {
      while (!aborted.aborted) {
        const open = town.deployments.filter(({ ended }) => !ended)
        // A node that is away is asked again.
        await Promise.allSettled(open.map(look))
        for (const app of town.apps) if (app.untold) await tell(app, app.paused)
        await sleep(LOOK_MS, undefined, { signal: aborted }).catch(() => undefined)
      }
    },
  }
}
