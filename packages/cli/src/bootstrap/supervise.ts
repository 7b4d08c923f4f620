/**
 * Keeps one process running: starts it again when it dies, ends it when asked.
 *
 * Its output goes to a file and not through us, so that it can say its last words when we are killed. Its pid is noted
 * beside the file: whoever comes after us ends what we left behind before starting it anew.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Program {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  readonly env: NodeJS.ProcessEnv
  /** A word of its command line that tells it from a stranger with the same pid. */
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

const MAX_LOG_BYTES = 16 * 2 ** 20
const COMING_TO_MS = 20_000
const LONGEST_PAUSE_MS = 30_000
/** Who ran this long was well; the next death starts counting anew. */
const WELL_MS = 5_000

export async function supervise(program: Program, say: (line: string) => void): Promise<Supervised> {
  const log = `${program.folder}/${program.name}.log`
  const pidFile = `${program.folder}/${program.name}.pid`
  await endLeftOver(program)
  if (existsSync(log) && statSync(log).size > MAX_LOG_BYTES) renameSync(log, `${log}.1`)

  const stopping = new AbortController()
  let deaths = 0
  let firstLife = true
  let isReadyNow: () => Promise<boolean> = async () => true
  let bornAtByte = 0
  let child = start()
  let watching = watch()

  function start(): ChildProcess {
    const output = openSync(log, 'a')
    bornAtByte = fstatSync(output).size
    // A session of its own: Ctrl-C at the terminal is for us, and we end our programs in order.
    const [path, ...words] = program.command
    const options = { env: program.env, cwd: '/', detached: true, stdio: ['ignore', output, output] as const }
    const started = spawn(path, words, { ...options, stdio: [...options.stdio] })
    closeSync(output)
    if (started.pid !== undefined) writeFileSync(pidFile, `${started.pid}\n`)
    return started
  }

  /** Waits for the end of this life, and unless we are stopping, begins the next. */
  async function watch(): Promise<void> {
    const bornMs = performance.now()
    const how = await endOf(child)
    if (stopping.signal.aborted || firstLife) return
    deaths = performance.now() - bornMs > WELL_MS ? 1 : deaths + 1
    const pauseMs = Math.min(250 * 2 ** deaths, LONGEST_PAUSE_MS)
    say(`${program.name} ended (${how}); starting it again in ${pauseMs / 1000} s, see ${log}`)
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
        if (!isAlive(child))
          throw new Error(`${program.name} ended while starting; it last said:\n${lastWords(log, bornAtByte)}`)
        if (performance.now() > untilMs)
          throw new Error(
            `${program.name} did not answer within ${timeoutMs / 1000} s; it last said:\n${lastWords(log, bornAtByte)}`,
          )
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
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8'))
  const untilMs = performance.now() + graceMs
  for (let first = true; isOurs(pid, mark); first = false) {
    if (first) send(pid, 'SIGTERM')
    else if (performance.now() > untilMs) send(pid, 'SIGKILL')
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

function isOurs(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark)
  } catch {
    // It ended while we looked.
    return false
  }
}

/** Without stack frames; a line of diagnostics as its message. */
function lastWords(log: string, from: number): string {
  const text = readFileSync(log).subarray(from).toString('utf8')
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
  return lines
    .slice(-10)
    .map((line) => `  ${messageOf(line).slice(0, 300)}`)
    .join('\n')
}

function messageOf(line: string): string {
  if (!line.startsWith('{"at":')) return line
  const said = JSON.parse(line) as { message: string; error?: { message: string } }
  return said.error ? `${said.message}: ${said.error.message}` : said.message
}
