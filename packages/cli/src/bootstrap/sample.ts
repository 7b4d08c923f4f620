/**
 * The sample app of `up --sample`: apps/hello, served as a git repository on this machine, deployed and paid for
 * through the same methods that anybody calls. What is already there is left as it is.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@perennial/client'
import { dial } from '@perennial/client/node'
import { methods, newId, UNIT, type OutputOf } from '@perennial/protocol'
import { followDeployment, mustRun, waitsForMoney } from '../deployment.ts'
import { clientFor, granted } from '../node-client.ts'
import { cleanEnvironment, confined, confinedPath } from './confine.ts'
import type { DebianPackage } from './needs.ts'
import { entry } from './places.ts'
import type { Program } from './supervise.ts'

/** A fixed port: the app is known by its URL, so another one would be another app. */
export const SAMPLE_REMOTE = '127.0.0.1:8418'
export const GIT: DebianPackage = { name: 'git', why: 'serves the sample app as a repository' }

const NAME = 'perennial/hello'
const REPOSITORY = `http://${SAMPLE_REMOTE}/${NAME}.git`
const PAYMENT = 5n * UNIT
const ENOUGH = UNIT
const ANSWER_TIMEOUT_MS = 120_000

type App = OutputOf<typeof methods.apps.deploy>['app']

export async function sampleRemote(options: { folder: string; log: string }): Promise<Program> {
  const port = SAMPLE_REMOTE.split(':')[1] ?? ''
  const words = [options.folder, port, `${NAME}=${confinedPath('apps/hello')}`]
  return {
    name: 'sample-remote',
    command: await confined(entry.sampleRemote, words),
    env: { ...cleanEnvironment(), HOME: options.folder },
    mark: entry.sampleRemote,
    folder: options.log,
    graceMs: 5000,
  }
}

/** The commit that the remote serves, or undefined while it does not. */
export async function sampleCommit(): Promise<string | undefined> {
  const answer = await fetch(`${REPOSITORY}/info/refs?service=git-upload-pack`).catch(() => undefined)
  const text = answer?.ok ? await answer.text() : ''
  return /([0-9a-f]{40}) refs\/heads\/main/.exec(text)?.[1]
}

/** The app's URL, once it has answered there with 200. */
export async function runSample(options: {
  readonly origin: string
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}): Promise<string> {
  const { origin, say, signal } = options
  const client = await clientFor({ node: origin })
  const commit = await sampleCommit()
  const found = await findApp(client)
  if (found && found.commit?.hash === commit && !found.stopped) {
    await fund(client, found, say)
    await answers(found.url, signal)
    return found.url
  }
  const { app, deployment } = granted(await client.call(methods.apps.deploy, { url: REPOSITORY }))
  say(`deploying ${REPOSITORY} as ${app.slug}`)
  await fund(client, app, say)
  let now = await followDeployment(client, deployment.id, { say, signal })
  // Paid just now: the node takes it up again by itself.
  while (waitsForMoney(now)) {
    await sleep(500, undefined, { signal })
    now = await followDeployment(client, deployment.id, { say, signal })
  }
  mustRun(now)
  await answers(app.url, signal)
  return app.url
}

async function findApp(client: Client): Promise<App | undefined> {
  const { apps } = granted(await client.call(methods.apps.list, {}))
  return apps.find(({ repository }) => repository.replace(/\.git$/, '') === REPOSITORY.replace(/\.git$/, ''))
}

async function fund(client: Client, app: App, say: (line: string) => void): Promise<void> {
  if (app.purse >= ENOUGH) return
  const paid = await client.call(methods.funding.contribute, {
    id: newId(),
    app: app.id,
    amount: PAYMENT,
    name: 'perennial up',
  })
  granted(paid)
  say('paid 5.00 of push-button credit for it')
}

async function answers(url: string, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + ANSWER_TIMEOUT_MS
  for (;;) {
    const answer = await dial(url, { signal }).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.status === 200) return
    if (performance.now() > untilMs)
      throw new Error(`${url} did not answer with 200 (last: ${answer?.status ?? 'nothing'})`)
    await sleep(200, undefined, { signal })
  }
}
