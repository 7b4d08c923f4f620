/**
 * HAProxy as a process: checked, started apart from the node, found again after the node was killed, reloaded
 * without closing its port, watched.
 *
 * It runs as a master and a worker (`-W -D`), of the node's own user. The node and HAProxy may die in any order:
 * whoever opens a connection to the master's socket has found it alive, and learns of its death when that closes.
 */
import { execFile, type ExecFileException } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, RuntimeUnreachable } from './runtime.ts'
import { files, render, type Template } from './template.ts'

const START_TIMEOUT_MS = 10_000

/** A worker: its pid and start time name the process whose counters are read. */
export interface Worker {
  readonly id: string
  readonly pid: number
  readonly fingerprint: string
  readonly slots: number
}

/** The worker that takes new connections, or null if none runs. One that is just starting or reloading is waited for. */
export async function running(folder: string): Promise<Worker | null> {
  for (let waited = 0; waited < START_TIMEOUT_MS; waited += 20) {
    const worker = await answeringNow(folder)
    if (worker !== null || (await masterPid(folder)) === null) return worker
    await sleep(20)
  }
  return null
}

async function answeringNow(folder: string): Promise<Worker | null> {
  let info
  try {
    info = await ask(files(folder).runtime, 'show info')
    await ask(files(folder).master, 'show proc')
  } catch (error) {
    if (error instanceof RuntimeUnreachable) return null
    throw error
  }
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(info)?.[1] ?? ''
  if (field('Stopping') === '1') return null
  const [fingerprint = '', slots = ''] = field('description').split(' ')
  return {
    id: `${field('Pid')}-${field('Start_time_sec')}`,
    pid: Number(field('Pid')),
    fingerprint,
    slots: Number(slots),
  }
}

/** Workers of before a reload that still answer their last requests, by pid. */
export async function oldWorkers(folder: string): Promise<number[]> {
  const text = await askMaster(folder, 'show proc')
  const old = text.split('# old workers')[1]?.split('#')[0] ?? ''
  return [...old.matchAll(/^(\d+)\s+worker/gm)].map((match) => Number(match[1]))
}

/** Asks one old worker; through the master, since its own socket belongs to its successor. */
export async function askOld(folder: string, pid: number, command: string): Promise<string> {
  return askMaster(folder, `@!${pid} ${command}`)
}

/** During a reload the master executes itself anew, and takes no connections for a moment. */
async function askMaster(folder: string, command: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask(files(folder).master, command)
    } catch (error) {
      if (attempt === 20 || (await masterPid(folder)) === null) throw error
      await sleep(20)
    }
  }
}

/** Writes the configuration and the map it reads at its start, and has HAProxy check both. */
export async function configure(template: Template, map: string): Promise<void> {
  const file = files(template.folder)
  await writeFile(file.map, map, { mode: 0o600 })
  await writeFile(file.config, render(template), { mode: 0o600 })
  const checked = await run(['-c', '-f', file.config])
  if (checked.error) throw new Error(`HAProxy refuses its configuration ${file.config}:\n${complaints(checked.stderr)}`)
}

/** Starts what `configure` wrote. Whatever is left of an earlier one that does not answer is ended first. */
export async function start(template: Template): Promise<Worker> {
  const { folder, listen } = template
  const file = files(folder)
  await end(folder)
  const { error, stderr } = await run(['-W', '-D', '-p', file.pid, '-S', `${file.master},mode,600`, '-f', file.config])
  if (error && /Address already in use/.test(stderr))
    throw new Error(
      `${listen.host}:${listen.port} is in use by another program: end it, or set PERENNIAL_LISTEN to a free address`,
    )
  if (error) throw new Error(`HAProxy did not start (${error.message.split('\n')[0]}):\n${complaints(stderr)}`)
  return answering(template, () => true)
}

/** The port stays open: the new worker takes it over, the old one finishes what it has. */
export async function reload(template: Template, old: Worker): Promise<Worker> {
  await ask(files(template.folder).master, 'reload')
  return answering(template, (worker) => worker.id !== old.id && worker.slots === template.slots)
}

/** Whether this worker may still count something. */
export async function lives({ id }: Pick<Worker, 'id'>): Promise<boolean> {
  const state = await readFile(`/proc/${id.split('-')[0]}/stat`, 'utf8').catch(() => null)
  return state !== null && !/\) [ZX] /.test(state)
}

/**
 * Lets requests under way finish for `graceMs`, then ends the rest. HAProxy itself would wait for connections that its
 * clients merely keep, so `isBusy` says whether there are any requests.
 */
export async function stop(folder: string, graceMs: number, isBusy: () => Promise<boolean>): Promise<void> {
  const master = await masterPid(folder)
  if (master === null) return
  process.kill(master, 'SIGUSR1')
  const untilMs = performance.now() + graceMs
  while (performance.now() < untilMs && (await masterPid(folder)) !== null && (await isBusy())) await sleep(20)
  await end(folder)
}

/** Calls `died` once when the master is gone. Returns what ends the watch. */
export function watch(folder: string, died: () => void): () => void {
  const socket = connect(files(folder).master)
  let over = false
  const finish = () => {
    if (over) return
    over = true
    socket.destroy()
    died()
  }
  socket.on('error', finish)
  socket.on('close', finish)
  socket.resume()
  return () => {
    over = true
    socket.destroy()
  }
}

/** Ends the master by the pid file, if that pid is still a HAProxy of this folder; a worker ends with its master. */
async function end(folder: string): Promise<void> {
  for (let waited = 0; ; waited += 20) {
    const master = await masterPid(folder)
    if (master === null) break
    process.kill(master, waited < 1000 ? 'SIGTERM' : 'SIGKILL')
    await sleep(20)
  }
  const file = files(folder)
  await Promise.all([file.pid, file.runtime, file.master].map((path) => rm(path, { force: true })))
}

/**
 * The master's pid, if it lives. During a reload the master writes its pid file anew and executes itself: a look that
 * finds one of the two empty is repeated.
 */
async function masterPid(folder: string): Promise<number | null> {
  const file = files(folder)
  for (let look = 0; look < 20; look++) {
    const text = await readFile(file.pid, 'utf8').catch(() => null)
    if (text === null) return null
    const pid = Number(text.trim())
    const state = pid > 1 ? await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null) : ''
    if (state === null || /\) [ZX] /.test(state)) return null // A dead one whose parent has not asked is a zombie.
    const commandLine = pid > 1 ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') : ''
    if (commandLine !== '') return commandLine.includes(file.config) ? pid : null // Or the pid was given out again.
    await sleep(10)
  }
  return null
}

async function answering(template: Template, fits: (worker: Worker) => boolean): Promise<Worker> {
  for (let waited = 0; waited < START_TIMEOUT_MS; waited += 10) {
    const worker = await answeringNow(template.folder)
    if (worker && fits(worker)) return worker
    if ((await masterPid(template.folder)) === null) throw new Error('HAProxy ended while it started')
    await sleep(10)
  }
  throw new Error(
    `HAProxy was started and does not answer on ${files(template.folder).runtime} after ${START_TIMEOUT_MS / 1000} s`,
  )
}

/** `-D` returns when the port is bound, or with what went wrong. */
function run(argv: string[]): Promise<{ error: ExecFileException | null; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      'haproxy',
      argv,
      { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, timeout: START_TIMEOUT_MS, maxBuffer: 2 ** 20 },
      (error, _stdout, stderr) => resolve({ error, stderr }),
    )
  })
}

function complaints(stderr: string): string {
  return stderr
    .split('\n')
    .filter((line) => /ALERT|WARNING/.test(line))
    .slice(0, 20)
    .join('\n')
}
