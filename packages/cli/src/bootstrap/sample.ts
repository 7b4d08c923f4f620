/**
 * The sample app of `up --sample`: apps/hello, served as a git repository on this machine, deployed and paid for
 * through the same methods that anybody calls. What is already there is left as it is.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@perennial/client'
import { dial } from '@perennial/client/node'
import { methods, newId, UNIT, type OutputOf } from '@perennial/protocol'
import { followDeployment, mustRun, waitsForMoney } from '../deployment.ts'
import { CommandFailed } from '../fail.ts'
import { clientFor, granted } from '../node-client.ts'
import { cleanEnvironment, confined, confinedPath } from './confine.ts'
import { isListening } from './listening.ts'
import type { DebianPackage } from './needs.ts'
import { entry } from './places.ts'
import type { Program } from './supervise.ts'

export const GIT: DebianPackage = { name: 'git', why: 'serves the sample app as a repository' }

const NAME = 'perennial/hello'
const FIRST_PORT = 8418
const PAYMENT = 5n * UNIT
const ENOUGH = UNIT
const ANSWER_TIMEOUT_MS = 120_000

type App = OutputOf<typeof methods.apps.deploy>['app']

/**
 * Where the repository is served, `127.0.0.1:port`. Chosen once per data folder: the app is known by its URL, so
 * another port would be another app.
 */
export async function sampleAddress(data: string): Promise<string> {
  // In the folder that only root writes to: root would follow a link that the node's user had put in one of its own.
  const note = join(data, 'sample-address')
  const noted = await readFile(note, 'utf8').catch(() => undefined)
  if (noted !== undefined) return noted
  let port = FIRST_PORT
  while (await isListening({ host: '127.0.0.1', port })) port++
  await writeFile(note, `127.0.0.1:${port}`)
  return `127.0.0.1:${port}`
}

export async function sampleRemote(options: { folder: string; address: string; log: string }): Promise<Program> {
  const { folder, address, log } = options
  const [host = '', port = ''] = address.split(':')
  if (await isListening({ host, port: Number(port) }))
    throw new CommandFailed(
      `something else listens at ${address}, where the sample app's repository is served: stop it`,
    )
  return {
    name: 'sample-remote',
    command: await confined(entry.sampleRemote, [folder, port, `${NAME}=${confinedPath('apps/hello')}`]),
    env: { ...cleanEnvironment(), HOME: folder },
    mark: entry.sampleRemote,
    folder: log,
    graceMs: 5000,
  }
}

function repositoryAt(address: string): string {
  return `http://${address}/${NAME}.git`
}

/** The commit that the remote serves, or undefined while it does not. */
export async function sampleCommit(address: string): Promise<string | undefined> {
  const answer = await fetch(`${repositoryAt(address)}/info/refs?service=git-upload-pack`).catch(() => undefined)
  const text = answer?.ok ? await answer.text() : ''
  return /([0-9a-f]{40}) refs\/heads\/main/.exec(text)?.[1]
}

/** The app's URL, once it has answered there with 200. */
export async function runSample(options: {
  readonly origin: string
  readonly address: string
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}): Promise<string> {
  const { origin, address, say, signal } = options
  const repository = repositoryAt(address)
  const client = await clientFor({ node: origin })
  const commit = await sampleCommit(address)
  const found = await findApp(client, repository)
  if (found && found.commit?.hash === commit && !found.stopped) {
    await fund(client, found, say)
    await answers(found.url, signal)
    return found.url
  }
  const { app, deployment } = granted(await client.call(methods.apps.deploy, { url: repository }))
  say(`deploying ${repository} as ${app.slug}`)
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

async function findApp(client: Client, url: string): Promise<App | undefined> {
  const { app } = granted(await client.call(methods.apps.quote, { url }))
  return app === null ? undefined : granted(await client.call(methods.apps.get, { app: app.id }))
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
