/**
 * Keeps one process running: starts it again when it dies, ends it when asked.
 *
 * Its output goes to a file (`log.ts`). Which process it is, is noted beside the file (`life.ts`): whoever comes after
 * us ends what we left behind before starting it anew.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatLife, isAlive as isStillAlive, lifeOf, parseLife } from './life.ts'
import { openLog } from './log.ts'

export interface Program {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  readonly env: NodeJS.ProcessEnv
  /** A word of its command line. */
  readonly mark: string
  /** Where its output and its pid are kept: `<folder>/<name>.log`, `<folder>/<name>.pid`. */
  readonly folder: string
  /** How long it may take to end by itself after TERM. */
  readonly graceMs: number
}

export interface Supervised {
  /** Throws if the program ends before `isReady` holds, with what it last said; or when `signal` aborts. */
  ready(isReady: () => Promise<boolean>, options: { timeoutMs: number; signal: AbortSignal }): Promise<void>
  stop(): Promise<void>
}

/** A flood of output fills the disk with no more than what it writes in this time. */
const ROTATE_EVERY_MS = 1000
const COMING_TO_MS = 20_000
const LONGEST_PAUSE_MS = 30_000
/** Who ran this long was well; the next death starts counting anew. */
const WELL_MS = 5_000

export interface SuperviseOptions {
  readonly say: (line: string) => void
  /** The group that may read its log. */
  readonly gid: number
  /** When its log is put aside. */
  readonly maxLogBytes?: number
}

export async function supervise(program: Program, options: SuperviseOptions): Promise<Supervised> {
  const { say, gid, maxLogBytes } = options
  const path = `${program.folder}/${program.name}.log`
  const log = openLog({ path, gid, ...(maxLogBytes !== undefined && { maxBytes: maxLogBytes }) })
  const pidFile = `${program.folder}/${program.name}.pid`
  await endLeftOver(program)
  rotate()
  const rotating = setInterval(rotate, ROTATE_EVERY_MS).unref()

  const stopping = new AbortController()
  let deaths = 0
  let firstLife = true
  let isReadyNow: () => Promise<boolean> = async () => true
  let lastWords = (): string => ''
  let child = start()
  let watching = watch()

  function rotate(): void {
    try {
      log.rotate()
    } catch (error) {
      say(`${program.name} printed much, which could not be kept: ${String(error)}`)
    }
  }

  function start(): ChildProcess {
    const output = log.open()
    lastWords = output.lastWords
    // A session of its own: Ctrl-C at the terminal is for us, and we end our programs in order.
    const [path, ...words] = program.command
    const options = { env: program.env, cwd: '/', detached: true, stdio: ['ignore', output.fd, output.fd] as const }
    const started = spawn(path, words, { ...options, stdio: [...options.stdio] })
    closeSync(output.fd)
    const life = started.pid === undefined ? undefined : lifeOf(started.pid)
    if (life) writeFileSync(pidFile, formatLife(life))
    return started
  }

  /** Waits for the end of this life, and unless we are stopping, begins the next. */
  async function watch(): Promise<void> {
    const bornMs = performance.now()
    const how = await endOf(child)
    if (stopping.signal.aborted || firstLife) return
    deaths = performance.now() - bornMs > WELL_MS ? 1 : deaths + 1
    const pauseMs = Math.min(250 * 2 ** deaths, LONGEST_PAUSE_MS)
    say(`${program.name} ended (${how}); starting it again in ${pauseMs / 1000} s, see ${path}`)
    await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    if (stopping.signal.aborted) return
    child = start()
    watching = watch()
  }

  return {
    async ready(isReady, { timeoutMs, signal }) {
      isReadyNow = isReady
      const untilMs = performance.now() + timeoutMs
      while (!(await isReady())) {
        signal.throwIfAborted()
        if (!isAlive(child)) throw new Error(`${program.name} ended while starting; it last said:\n${lastWords()}`)
        if (performance.now() > untilMs)
          throw new Error(`${program.name} did not answer within ${timeoutMs / 1000} s; it last said:\n${lastWords()}`)
        await sleep(50)
      }
      firstLife = false
      if (!isAlive(child)) watching = watch()
    },
    async stop() {
      stopping.abort()
      // Only a whole life can close what a killed one left running, so a later one is let come to itself first.
      if (!firstLife && !isAlive(child)) child = start()
      const untilMs = performance.now() + (deaths > 0 ? COMING_TO_MS : 0)
      while (performance.now() < untilMs && isAlive(child) && !(await isReadyNow())) await sleep(50)
      await end(child, program.graceMs)
      await watching
      clearInterval(rotating)
      rmSync(pidFile, { force: true })
    },
  }
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null && child.pid !== undefined
}

function endOf(child: ChildProcess): Promise<string> {
  if (!isAlive(child)) return Promise.resolve(child.signalCode ?? `exit code ${child.exitCode}`)
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
}

async function end(child: ChildProcess, graceMs: number): Promise<void> {
  if (!isAlive(child)) return
  const ended = endOf(child)
  child.kill('SIGTERM')
  const kill = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await ended
  clearTimeout(kill)
}

/** A killed `up` leaves programs that are still closing, or that never heard of it. */
export async function endLeftOver(left: Pick<Program, 'name' | 'folder' | 'mark' | 'graceMs'>): Promise<void> {
  const { mark, graceMs } = left
  const pidFile = `${left.folder}/${left.name}.pid`
  const life = existsSync(pidFile) ? parseLife(readFileSync(pidFile, 'utf8')) : undefined
  if (!life) return
  const untilMs = performance.now() + graceMs
  for (let first = true; isStillAlive(life, mark); first = false) {
    if (first) send(life.pid, 'SIGTERM')
    else if (performance.now() > untilMs) send(life.pid, 'SIGKILL')
    await sleep(50)
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // Gone already, which is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
