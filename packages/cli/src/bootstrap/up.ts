/**
 * Opens a node on this machine and keeps it open: what is missing, then sandboxd (root), then the node (uid
 * perennial, no privileges), then, if asked for, a sample app.
 *
 * Only the first is root's work; this process stays to look after the others and does nothing else.
 */
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openClient } from '@perennial/client'
import { isRefusal, methods } from '@perennial/protocol'
import { CommandFailed } from '../fail.ts'
import type { Output } from '../output.ts'
import { cleanEnvironment, confined } from './confine.ts'
import { examine, isReady, mendable, type Place } from './doctor.ts'
import { isListening } from './listening.ts'
import { takeLock, type Lock } from './lock.ts'
import { npmSettings } from './npm-settings.ts'
import { pipSettings } from './pip-settings.ts'
import { entry } from './places.ts'
import { sandboxdCommand, sandboxFolder, socketOf } from './sandboxd.ts'
import { endLeftOver, supervise, type Program, type Supervised } from './supervise.ts'
import { findUser, type UserIds } from './user.ts'
import { GIT, runSample, sampleCommit, sampleAddress, sampleRemote } from './sample.ts'

export interface UpOptions extends Place {
  readonly sample: boolean
}

/** What a killed `up` may have left running, in the order in which it is ended: the node needs sandboxd to close. */
const LEFT_OVERS = [
  { name: 'sample-remote', mark: entry.sampleRemote, graceMs: 5000 },
  { name: 'node', mark: entry.server, graceMs: 60_000 },
  { name: 'sandboxd', mark: entry.sandboxd, graceMs: 10_000 },
]
const SANDBOXD_TIMEOUT_MS = 60_000
/** The first start makes a database cluster and runtime images. */
const NODE_TIMEOUT_MS = 180_000

/** Returns when a signal came and everything is stopped. */
export async function up(options: UpOptions, out: Output): Promise<void> {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(name, () => stop.abort(new CommandFailed(`stopped by ${name}`)))
  const { signal } = stop
  const origin = `http://${options.host}:${options.port}`
  const log = makeLogFolder(options.data)
  const lock = await lockOrSay(options.data)
  const running: Supervised[] = []
  try {
    await out.step('This machine', async (say) => {
      for (const left of LEFT_OVERS) await endLeftOver({ ...left, folder: log })
      await mend(options, say)
    })
    const ids = findUser()
    if (!ids) throw new CommandFailed('the user perennial could not be made')
    const folders = makeFolders(options.data, ids)
    const address = options.sample ? await sampleAddress(options.data) : undefined
    const about = { pid: process.pid, node: origin }

    await lock.note(about)
    await out.step('Sandboxes', async (say) => {
      running.push(await supervise(sandboxd({ ...options, ids, log }), { say, gid: ids.gid }))
      await running.at(-1)?.ready(() => isListening({ path: socketOf(sandboxFolder(options.data)) }), {
        timeoutMs: SANDBOXD_TIMEOUT_MS,
        signal,
      })
    })
    await out.step('Node', async (say) => {
      running.push(await supervise(await node({ ...options, log, remote: address }), { say, gid: ids.gid }))
      await running.at(-1)?.ready(() => answers(origin), { timeoutMs: NODE_TIMEOUT_MS, signal })
    })
    out.answer(`Node: ${origin}`, { node: origin })
    if (address !== undefined) {
      const app = await out.step('Sample app', async (say) => {
        const remote = await sampleRemote({ folder: folders.sample, address, log })
        running.push(await supervise(remote, { say, gid: ids.gid }))
        await running
          .at(-1)
          ?.ready(async () => (await sampleCommit(address)) !== undefined, { timeoutMs: 20_000, signal })
        return runSample({ origin, address, say, signal })
      })
      await lock.note({ ...about, app })
      out.answer(`App: ${app}`, { app })
    }
    out.note('Running until Ctrl-C.')
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve())
    })
  } finally {
    if (running.length > 0) await out.step('Closing', () => close(running))
    await lock.release()
  }
}

/** In the opposite order, so that nobody loses what it still needs. */
async function close(running: readonly Supervised[]): Promise<void> {
  for (const program of running.toReversed()) await program.stop()
}

/** Installs what is missing after saying what and why; whatever remains missing ends the command. */
async function mend(options: UpOptions, say: (line: string) => void): Promise<void> {
  const extra = options.sample ? [GIT] : []
  let findings = await examine(options, extra)
  if (mendable(findings).length > 0) {
    for (const { name, state, sentence } of findings) if (state === 'lacks') say(`missing: ${name}: ${sentence}`)
    for (const { fix } of mendable(findings)) await fix?.(say)
    findings = await examine(options, extra)
  }
  if (isReady(findings)) return
  const lacks = findings.filter(({ state }) => state === 'lacks').map(({ name, sentence }) => `${name}: ${sentence}`)
  throw new CommandFailed(`a node cannot run here yet:\n  ${lacks.join('\n  ')}`)
}

/** Only root can change the data folder itself, and the logs. */
function makeLogFolder(data: string): string {
  const log = join(data, 'log')
  mkdirSync(data, { recursive: true, mode: 0o755 })
  mkdirSync(log, { recursive: true, mode: 0o755 })
  return log
}

/** What belongs to the node's user. */
function makeFolders(data: string, ids: UserIds): { sample: string } {
  const folders = { node: join(data, 'node'), sample: join(data, 'sample') }
  for (const path of Object.values(folders)) {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    chownSync(path, ids.uid, ids.gid)
  }
  return folders
}

async function lockOrSay(data: string): Promise<Lock> {
  const lock = await takeLock(data)
  if (!('heldBy' in lock)) return lock
  const { pid, node, app } = lock.heldBy
  const where = [node && `Node: ${node}`, app && `App: ${app}`].filter(Boolean).join(', ')
  throw new CommandFailed(`a node is already up on ${data}${pid ? ` (process ${pid})` : ''}. ${where}`.trim(), {
    nextStep: pid ? `to stop it: kill ${pid}` : 'use another --data',
  })
}

function sandboxd(options: { data: string; ids: UserIds; log: string }): Program {
  return {
    name: 'sandboxd',
    command: sandboxdCommand({ root: sandboxFolder(options.data), ids: options.ids }),
    // It makes runtime images out of packages, with root's npm and apt as root has them set.
    env: process.env,
    mark: entry.sandboxd,
    folder: options.log,
    graceMs: 10_000,
  }
}

async function node(options: UpOptions & { log: string; remote: string | undefined }): Promise<Program> {
  const { data, host, port, remote } = options
  const remotes = [process.env['PERENNIAL_DEVELOPMENT_REMOTES'], remote].filter(Boolean)
  const env = {
    ...cleanEnvironment(),
    ...(await npmSettings()),
    ...(await pipSettings()),
    ...operatorSettings(),
    HOME: join(data, 'node'),
    PERENNIAL_DATA: join(data, 'node'),
    PERENNIAL_SANDBOX: sandboxFolder(data),
    PERENNIAL_LISTEN: `${host}:${port}`,
    PERENNIAL_DEVELOPMENT_REMOTES: remotes.join(','),
  }
  return {
    name: 'node',
    command: await confined(entry.server),
    env,
    mark: entry.server,
    folder: options.log,
    graceMs: 60_000,
  }
}

function answers(origin: string): Promise<boolean> {
  return openClient({ node: origin })
    .call(methods.node.info, {})
    .then(
      (answer) => !isRefusal(answer),
      () => false,
    )
}

/** What the operator set for the node; secrets travel by environment, never by command line. */
function operatorSettings(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      (name.startsWith('PERENNIAL_') || name === 'DATABASE_URL') && value !== undefined ? [[name, value]] : [],
    ),
  )
}
