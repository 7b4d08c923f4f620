/**
 * Where attacks and their controls run: a sandboxd of the test's own whose sandboxes all lie in one outer control
 * group, whose files lie on one loop disk of fixed size, and whose network leads nowhere. With a defence taken
 * away an attack succeeds, and still does no harm.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { sandboxClient } from '../../../packages/sandbox/src/client/index.ts'
import type { SandboxClient } from '../../../packages/sandbox/src/client/index.ts'
import { instance, tagOf } from '../../../packages/sandbox/src/daemon/instance.ts'
import type { Instance } from '../../../packages/sandbox/src/daemon/instance.ts'
import { daemonArguments } from '../../../packages/sandbox/src/daemon/launch.ts'
import { answers, socketPath } from '../../../packages/sandbox/src/daemon/server.ts'
import { openIsland, withUs } from './island.ts'
import type { Island } from './island.ts'
import { openOuterGroup } from './limits.ts'
import type { OuterGroup } from './limits.ts'

const parent = '/var/tmp'
const prefix = 'perennial-hostile-'
/** Making them takes most of a minute, so they are kept, and shared with the sandbox's own tests. */
const images = '/var/cache/perennial-test-images'
const defaultDiskBytes = 2 * 2 ** 30

export type Outsider = ChildProcessByStdio<null, Readable, Readable>

export interface Cage {
  readonly client: SandboxClient
  readonly at: Instance
  /** The mounted loop disk; sandboxd's root is a folder on it. */
  readonly disk: string
  readonly island: Island
  readonly group: OuterGroup
  /** Runs a command without any sandbox, as this user of the host, under the cage's limits alone. */
  outside(command: { argv: readonly string[]; uid: number; timeoutMs?: number }): Outsider
  [Symbol.asyncDispose](): Promise<void>
}

export interface CageOptions {
  /** As openIsland's `host`. */
  readonly network?: 'new' | 'ours'
  readonly diskBytes?: number
}

export async function openCage({ network = 'new', diskBytes = defaultDiskBytes }: CageOptions = {}): Promise<Cage> {
  if (process.getuid?.() !== 0) throw new Error('the hostile set needs root: run it as root')
  await clearAbandoned()
  const folder = mkdtempSync(join(parent, `${prefix}${process.pid}-`))
  // Users of sandboxes pass through it, as they would through the node's own data folder.
  chmodSync(folder, 0o711)
  const undo: (() => unknown)[] = [() => removeFolder(folder)]
  try {
    const disk = mountLoopDisk(folder, diskBytes)
    const root = join(disk, 'sandbox')
    const group = await openOuterGroup(`/perennial-${tagOf(root)}`)
    undo.push(() => group.close())
    const island = await openIsland({ host: network })
    undo.push(() => island.close())
    undo.push(() => destroyDaemon(root))
    undo.push(() => group.endOutside())
    const daemon = await startDaemon(root, island)
    undo.push(() => daemon.kill('SIGKILL'))
    const client = sandboxClient({ socket: socketPath({ root }) })
    undo.push(() => client.close())
    const subnet = readFileSync(join(root, 'subnet'), 'utf8').trim()
    return {
      client,
      at: instance({ root, uid: 0, gid: 0, subnet, images }),
      disk,
      island,
      group,
      outside: (command) => spawnOutside(command, { island, group }),
      [Symbol.asyncDispose]: () => undoAll(undo),
    }
  } catch (error) {
    await undoAll(undo)
    throw error
  }
}

/** Each step is tried, the last first; the first complaint is told at the end. */
async function undoAll(undo: (() => unknown)[]): Promise<void> {
  const complaints: unknown[] = []
  for (const step of undo.reverse()) {
    try {
      await step()
    } catch (error) {
      complaints.push(error)
    }
  }
  if (complaints.length > 0) throw complaints[0]
}

function mountLoopDisk(folder: string, diskBytes: number): string {
  const file = join(folder, 'disk.ext4')
  const at = join(folder, 'disk')
  mkdirSync(at)
  execFileSync('truncate', ['-s', String(diskBytes), file])
  execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', '-O', '^has_journal', '-E', 'lazy_itable_init=1,nodiscard', file])
  execFileSync('mount', ['-o', 'loop,nosuid,nodev,noatime,noinit_itable', file, at])
  return at
}

function removeFolder(folder: string): void {
  const at = join(folder, 'disk')
  const file = join(folder, 'disk.ext4')
  const isMounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${at} `)
  while (isMounted()) execFileSync('umount', ['-l', at])
  // A daemon that somebody started meanwhile has a copy of the mount; what is on it need not stay with it.
  if (existsSync(file)) truncateSync(file, 0)
  rmSync(folder, { recursive: true, force: true })
}

async function startDaemon(root: string, island: Island): Promise<ChildProcess> {
  const options = { root, uid: 0, gid: 0, images }
  const [tool, ...argv] = [...withUs, ...island.enter, process.execPath, ...daemonArguments(options)]
  const child = spawn(tool, argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(-8192)))
  const deadline = Date.now() + 30_000
  while (!(await answers(socketPath({ root })))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`sandboxd did not start: ${complaint}`)
    await sleep(20)
  }
  return child
}

/** In an empty network, since its own may be gone with the test that made it. */
async function destroyDaemon(root: string): Promise<void> {
  if (!existsSync(root)) return
  const argv = ['--net', process.execPath, ...daemonArguments({ root, uid: 0, gid: 0, images }), '--destroy']
  const deadline = Date.now() + 10_000
  // A daemon that was just killed still holds its socket for a moment.
  while (await answers(socketPath({ root }))) {
    if (Date.now() > deadline) throw new Error(`a sandboxd still serves ${root}`)
    await sleep(20)
  }
  execFileSync('unshare', argv, { stdio: ['ignore', 'ignore', 'inherit'], timeout: 60_000 })
}

/** A test that was killed leaves its sandboxes, within their limits; the next test takes them away. */
async function clearAbandoned(): Promise<void> {
  for (const name of readdirSync(parent)) {
    const pid = name.startsWith(prefix) ? name.slice(prefix.length).split('-')[0] : undefined
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue
    const folder = join(parent, name)
    const root = join(folder, 'disk/sandbox')
    const group = await openOuterGroup(`/perennial-${tagOf(root)}`)
    await group.endOutside()
    await destroyDaemon(root)
    group.close()
    removeFolder(folder)
  }
}

function spawnOutside(
  { argv, uid, timeoutMs = 30_000 }: { argv: readonly string[]; uid: number; timeoutMs?: number },
  { island, group }: { island: Island; group: OuterGroup },
): Outsider {
  const dropUser = [...withUs, `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs', '--']
  // Each word in front replaces itself by the next, so the child is the payload.
  const [tool = '', ...words] = [...group.enter, ...island.enter, ...dropUser, ...argv]
  return spawn(tool, words, {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
}
