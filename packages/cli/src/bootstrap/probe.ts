/** Asks a sandbox daemon what it can do here: the one of this data folder, or one started for the question. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { command } from './command.ts'
import { isListening } from './listening.ts'
import { sandboxdCommand, sandboxFolder, socketOf } from './sandboxd.ts'

export interface Abilities {
  readonly isolation: string
  readonly cgroup: string
  readonly capacity: number
}

const START_TIMEOUT_MS = 20_000
const ANSWER_TIMEOUT_MS = 10_000

export async function probeSandbox(data: string): Promise<Abilities | { readonly problem: string }> {
  const running = socketOf(sandboxFolder(data))
  if (await isListening({ path: running })) return ask(running)
  // /run belongs to root alone, as the daemon demands of the folders above its own.
  const root = await mkdtemp('/run/perennial-probe-')
  try {
    return await probeAt(root)
  } finally {
    const [program, ...words] = sandboxdCommand({ root, ids: { uid: 0, gid: 0 } })
    await command([program, ...words, '--destroy'])
    await rm(root, { recursive: true, force: true })
  }
}

async function probeAt(root: string): Promise<Abilities | { readonly problem: string }> {
  const command = sandboxdCommand({ root, ids: { uid: 0, gid: 0 } })
  // Asked for a moment only, it ends with us however we end.
  const daemon = spawn('setpriv', ['--pdeathsig', 'TERM', ...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: '/',
  })
  let said = ''
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(0, 4000)))
  const ended = once(daemon, 'exit')
  try {
    const untilMs = performance.now() + START_TIMEOUT_MS
    while (!(await isListening({ path: socketOf(root) }))) {
      if (daemon.exitCode !== null) return { problem: `sandboxd does not start here: ${whatItSaid(said)}` }
      if (performance.now() > untilMs) return { problem: `sandboxd did not answer within ${START_TIMEOUT_MS / 1000} s` }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return await ask(socketOf(root))
  } finally {
    daemon.kill('SIGTERM')
    await ended
  }
}

/** One verb, as its wire has it: a JSON line out, a JSON line back. */
export async function ask(socket: string): Promise<Abilities | { readonly problem: string }> {
  const connection = connect({ path: socket, timeout: ANSWER_TIMEOUT_MS })
  connection.on('timeout', () => connection.destroy(new Error('it said nothing')))
  let lost: Error | undefined
  try {
    connection.write(`${JSON.stringify({ id: 1, verb: 'probe', input: {} })}\n`)
    for await (const line of createInterface({ input: connection.on('error', (error) => (lost = error)) }))
      return abilities(line)
    if (lost) throw lost
    return { problem: `sandboxd at ${socket} closed the connection without an answer` }
  } catch (error) {
    return { problem: `sandboxd at ${socket} does not answer: ${String(error)}` }
  } finally {
    connection.destroy()
  }
}

function abilities(line: string): Abilities | { readonly problem: string } {
  try {
    const answer = JSON.parse(line) as { result?: Abilities; error?: { message: string } }
    return answer.result ?? { problem: answer.error?.message ?? 'sandboxd answers in another language' }
  } catch {
    return { problem: 'sandboxd answers in another language' }
  }
}

/** Node prints the line of code, then the error, then the way there. */
function whatItSaid(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  return (
    lines.find((line) => /^[\w.]*(Error|Refusal)\b.*:/.test(line)) ??
    (lines.filter(Boolean).at(-1) || 'it said nothing')
  )
}
