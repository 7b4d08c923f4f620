/**
 * A private PostgreSQL cluster of the distribution's own binaries, on a unix socket, for tests.
 *
 * `startCluster` belongs to one test: it can be killed as a power cut would, restarted, and it dies
 * with the process that started it. `sharedCluster` outlives its first user, so that the next test
 * file finds it running.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'

const run = promisify(execFile)

/** Without these a laptop's defaults would limit tests, not the code. */
const SETTINGS: Record<string, string> = {
  listen_addresses: '',
  max_connections: '200',
  shared_buffers: '128MB',
  unix_socket_permissions: '0700',
}

export interface ClusterOptions {
  /** Holds the data folder, the socket and the log; shorter than 90 bytes because of the socket's address. Without it: a temporary one. */
  folder?: string
  /** Server settings, as in postgresql.conf. */
  settings?: Record<string, string>
}

export interface Cluster {
  /** Of the database `postgres`, as superuser. */
  url: string
  /** Waits for clients to be cut off and everything to be on disk. */
  stop(): Promise<void>
  /** SIGKILL to the postmaster and each of its children at once: nothing is flushed, no client is told. */
  kill9(): Promise<void>
  /** Starts it again in the same folder, after `stop` or `kill9`, and waits until it answers. */
  restart(): Promise<void>
  /** Stops it; removes the folder if it was a temporary one. */
  [Symbol.asyncDispose](): Promise<void>
}

/** A cluster of the caller's own; it stops when the calling process ends, however that ends. */
export async function startCluster({ folder: given, settings = {} }: ClusterOptions = {}): Promise<Cluster> {
  const folder = given ?? mkdtempSync('/tmp/perennial-cluster-')
  const owner = clusterOwner()
  await prepare(folder, owner)
  const url = clusterUrl(folder)
  let server: ChildProcess | undefined

  async function start(): Promise<void> {
    const log = openSync(join(folder, 'log'), 'a')
    // The kernel stops the server when this process dies: a killed test leaves nothing running.
    server = spawn(
      'setpriv',
      [...owner.become, '--pdeathsig', 'INT', binary('postgres'), ...serverArguments(folder, settings)],
      {
        stdio: ['ignore', log, log],
        cwd: '/',
      },
    )
    closeSync(log)
    await untilReady(url, folder, () => server?.exitCode === null && server.signalCode === null)
  }

  async function gone(): Promise<void> {
    const child = server
    if (child && child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => child.once('exit', resolve))
    }
    server = undefined
  }

  async function stop(): Promise<void> {
    server?.kill('SIGINT')
    await gone()
  }

  async function dispose(): Promise<void> {
    await stop()
    if (!given) rmSync(folder, { recursive: true })
  }

  async function kill9(): Promise<void> {
    const pid = server?.pid
    if (pid === undefined) return
    process.kill(pid, 'SIGSTOP') // So that no child is born between the look and the kill.
    const children = childrenOf(pid)
    for (const victim of [...children, pid]) kill(victim)
    await gone()
    // A child that still lives keeps the shared memory, and the next start would refuse.
    while (children.some(lives)) await sleep(5)
  }

  await start()
  return { url, stop, kill9, restart: start, [Symbol.asyncDispose]: dispose }
}

/**
 * The cluster that all test processes of this user share. A lock file lets exactly one of them start it;
 * it keeps running afterwards, because starting costs more than most tests.
 */
export async function sharedCluster(folder: string): Promise<string> {
  const owner = clusterOwner()
  mkdirSync(folder, { recursive: true })
  await prepare(folder, owner)
  const url = clusterUrl(folder)
  if (!existsSync(join(folder, 'log'))) closeSync(openSync(join(folder, 'log'), 'a'))
  if (owner.uid !== undefined) chownSync(join(folder, 'log'), owner.uid, owner.gid)
  const control = ['setpriv', ...owner.become, binary('pg_ctl'), '-D', join(folder, 'data')].map(quote).join(' ')
  const options = serverArguments(folder, { max_wal_size: '256MB' }).slice(2).map(quote).join(' ')
  const script = `${control} status >/dev/null || ${control} -w -s -l ${quote(join(folder, 'log'))} -o ${quote(options)} start`
  // --close: the server must not inherit the lock.
  await run('flock', ['--close', join(folder, 'lock'), 'sh', '-c', script], { cwd: '/' }).catch((error: unknown) => {
    throw new Error(`The shared test cluster did not start; see ${join(folder, 'log')}.`, { cause: error })
  })
  return url
}

/** PostgreSQL refuses to run as root, so root's clusters belong to `postgres`, or else to `nobody`. */
function clusterOwner(): { uid?: number; gid: number; become: string[] } {
  if (process.getuid?.() !== 0) return { gid: 0, become: [] }
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')
  const uid = Number(user?.[2] ?? 65534)
  const gid = Number(user?.[3] ?? 65534)
  return { uid, gid, become: [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'] }
}

/** Makes the data folder once. Two processes may come at the same time: the lock file orders them. */
async function prepare(folder: string, owner: ReturnType<typeof clusterOwner>): Promise<void> {
  if (Buffer.byteLength(folder) > 90)
    throw new Error(`${folder} is too long for a unix socket; choose a folder under /tmp.`)
  mkdirSync(folder, { recursive: true })
  if (statSync(folder).uid !== (owner.uid ?? process.getuid?.())) {
    if (owner.uid === undefined) throw new Error(`${folder} belongs to somebody else; remove it.`)
    chownSync(folder, owner.uid, owner.gid)
  }
  if (existsSync(join(folder, 'data', 'PG_VERSION')) && !existsSync(join(folder, 'making'))) return
  const become = ['setpriv', ...owner.become].map(quote).join(' ')
  const make = [
    binary('initdb'),
    '-D',
    join(folder, 'data'),
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ]
  const [data, making] = [join(folder, 'data'), join(folder, 'making')].map(quote)
  // `making` marks an initdb that was killed half-way; whoever finds it under the lock begins anew.
  const script = `if [ ! -f ${data}/PG_VERSION ] || [ -f ${making} ]; then
    rm -rf ${data} && touch ${making} && ${become} ${make.map(quote).join(' ')} >/dev/null && rm ${making}; fi`
  await run('flock', [join(folder, 'lock'), 'sh', '-ec', script], { cwd: '/' }).catch((error: unknown) => {
    throw new Error(`initdb failed in ${folder}.`, { cause: error })
  })
}

function serverArguments(folder: string, settings: Record<string, string>): string[] {
  const all = { ...SETTINGS, ...settings }
  return [
    '-D',
    join(folder, 'data'),
    '-k',
    folder,
    ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
}

function clusterUrl(folder: string): string {
  return `postgresql://postgres@/postgres?host=${encodeURIComponent(folder)}`
}

/** The newest installed major version: Debian keeps each in a folder of its own, outside PATH. */
export function binary(name: string): string {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root)
    ? readdirSync(root).filter((entry) => existsSync(join(root, entry, 'bin', name)))
    : []
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0]
  if (newest === undefined)
    throw new Error(`PostgreSQL is not installed (${name} not found); run: apt-get install postgresql`)
  return join(root, newest, 'bin', name)
}

async function untilReady(url: string, folder: string, alive: () => boolean): Promise<void> {
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => client.end()) // The server may die while we ask; the next round reports it.
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      if (!alive()) {
        const tail = readFileSync(join(folder, 'log'), 'utf8').split('\n').slice(-6).join('\n')
        throw new Error(`PostgreSQL stopped while starting in ${folder}:\n${tail}`, { cause: error })
      }
      await sleep(20)
    }
  }
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!pid) return false
      try {
        // "pid (name) state ppid …"; a name may hold spaces and brackets, so read from the last bracket.
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
      } catch {
        return false // It ended while we looked.
      }
    })
}

/** A zombie has let go of everything; only its parent has not noticed. */
function lives(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z'
  } catch {
    return false
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
