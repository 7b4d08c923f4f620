/**
 * The node's private PostgreSQL: the distribution's binaries, a unix socket in a 0700 folder, nobody else's.
 *
 * It outlives a killed node on purpose: whoever opens the folder next adopts the running server, which is
 * quicker and safer than recovering a second time. Killed itself, it is started again by the node that has it open.
 * Only a clean close stops it. The folder is the identity: `data/` holds the cluster, and losing it loses the ledger.
 */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import type { Diagnostics } from './diagnostics.ts'

export interface Cluster extends AsyncDisposable {
  /** Of the node's database, as the cluster's owner. */
  readonly url: string
  /** True if a server that somebody else had started was found running. */
  readonly adopted: boolean
  /** Cuts clients off, writes everything to disk, ends the server. */
  close(): Promise<void>
}

const run = promisify(execFile)
const BINARIES = '/usr/lib/postgresql'
const DATABASE = 'perennial'
/** A unix socket's address is at most 107 bytes, of which `/.s.PGSQL.5432` takes 14. */
const MAX_FOLDER_BYTES = 92
/** Recovery after a crash reads the log since the last checkpoint: minutes on a slow disk. */
const START_SECONDS = '600'
const MAX_LOG_BYTES = 16 * 2 ** 20
/** How soon the death of the server is noticed. */
const LOOK_MS = 250

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '100',
  shared_buffers: '128MB',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
}

export async function openCluster(options: { folder: string; diagnostics: Diagnostics }): Promise<Cluster> {
  const { folder, diagnostics } = options
  if (Buffer.byteLength(folder) > MAX_FOLDER_BYTES)
    throw new Error(`${folder} is too long for a unix socket; choose a data folder with a shorter path`)
  if (process.getuid?.() === 0)
    throw new Error('PostgreSQL does not run as root; start the node with `perennial up`, or set DATABASE_URL')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(folder, 0o700)
  const data = join(folder, 'data')
  if (!existsSync(join(data, 'PG_VERSION'))) await makeCluster(data)
  const control = binaryFor(readFileSync(join(data, 'PG_VERSION'), 'utf8').trim(), 'pg_ctl')

  const server = { control, data, folder, diagnostics }
  const adopted = await isRunning(data)
  if (adopted) diagnostics.info('a PostgreSQL of this node was still running; adopted', { folder })
  else await startServer(server)

  await makeDatabase(folder)
  const stop = new AbortController()
  const guarding = guard(server, stop.signal)
  const close = async () => {
    stop.abort()
    await guarding
    if (await isRunning(data)) await run(control, ['stop', '-D', data, '-m', 'fast', '-w', '-t', START_SECONDS])
  }
  return { url: urlOf(folder, DATABASE), adopted, close, [Symbol.asyncDispose]: close }
}

interface Server {
  readonly control: string
  readonly data: string
  readonly folder: string
  readonly diagnostics: Diagnostics
}

/** Nobody else would start it again: everybody's connections only wait for it. */
async function guard(server: Server, signal: AbortSignal): Promise<void> {
  const { data, folder, diagnostics } = server
  for (;;) {
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    if (await isRunning(data)) continue
    diagnostics.warn('PostgreSQL ended; starting it again', { folder })
    await startServer(server).catch((error: unknown) =>
      diagnostics.error('PostgreSQL does not start; trying again', { folder, error }),
    )
  }
}

/** Made under another name first: a kill half-way never leaves what looks like a cluster. */
async function makeCluster(data: string): Promise<void> {
  const half = `${data}.making`
  await rm(half, { recursive: true, force: true })
  const words = [
    '-D',
    half,
    '-U',
    userInfo().username,
    '-A',
    'peer',
    '-E',
    'UTF8',
    '--locale=C.UTF-8',
    '--data-checksums',
  ]
  await run(binaryFor(newestVersion(), 'initdb'), words, { cwd: '/' })
  await rename(half, data)
}

async function startServer({ control, data, folder, diagnostics }: Server): Promise<void> {
  // A pid file whose process is not this cluster's server (a reboot, a reused pid) would make pg_ctl wait for nothing.
  // What still runs of a killed server is safe from a second one without it too: its shared memory is known by the
  // folder's inode.
  await rm(join(data, 'postmaster.pid'), { force: true })
  const log = join(folder, 'log')
  if (existsSync(log) && (await stat(log)).size > MAX_LOG_BYTES) await truncate(log)
  const settings = Object.entries({ ...SETTINGS, unix_socket_directories: folder })
  const words = settings.map(([name, value]) => `-c ${name}='${value}'`).join(' ')
  // A killed server's last backends hold its shared memory for a moment; starting again succeeds once they are gone.
  for (let attempt = 1; ; attempt++) {
    try {
      await run(control, ['start', '-D', data, '-l', log, '-w', '-t', START_SECONDS, '-o', words], { cwd: '/' })
      return
    } catch (error) {
      const tail = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n').slice(-6).join('\n')
      // A killed node's pg_ctl may have been faster.
      if (await isRunning(data)) return
      if (attempt === 20 || !/shared memory|lock file/.test(tail))
        throw new Error(`PostgreSQL did not start in ${folder}:\n${tail}`, { cause: error })
      diagnostics.warn('waiting for the last processes of a killed PostgreSQL', { folder })
      await sleep(500)
    }
  }
}

/** True if the process named by the pid file is this cluster's server, and not a stranger with its old number. */
async function isRunning(data: string): Promise<boolean> {
  const pid = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0]
  if (!pid) return false
  const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return words.split('\0').includes(data)
}

async function makeDatabase(folder: string): Promise<void> {
  const client = await connectOnceUp(urlOf(folder, 'postgres'))
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
}

/** An adopted server may be recovering still: it has no socket yet, or says that it is starting (57P03). */
async function connectOnceUp(url: string): Promise<pg.Client> {
  const untilMs = performance.now() + Number(START_SECONDS) * 1000
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      return client
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (!['ENOENT', 'ECONNREFUSED', '57P03'].includes(code) || performance.now() > untilMs) throw error
      await sleep(100)
    }
  }
}

function urlOf(folder: string, database: string): string {
  const user = encodeURIComponent(userInfo().username)
  return `postgresql://${user}@/${database}?host=${encodeURIComponent(folder)}`
}

function newestVersion(): string {
  const versions = existsSync(BINARIES)
    ? readdirSync(BINARIES).filter((name) => existsSync(pathOf(name, 'initdb')))
    : []
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0]
  if (newest === undefined) throw new Error('PostgreSQL is not installed; run: perennial doctor --fix')
  return newest
}

function binaryFor(version: string, name: string): string {
  if (existsSync(pathOf(version, name))) return pathOf(version, name)
  throw new Error(
    `the data folder is of PostgreSQL ${version}, which is not installed; run: apt-get install postgresql-${version}`,
  )
}

function pathOf(version: string, name: string): string {
  return join(BINARIES, version, 'bin', name)
}
