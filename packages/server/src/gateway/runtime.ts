/**
 * HAProxy's runtime socket: one connection per batch, one line in, text out.
 *
 * A batch of commands is one line joined by `;` (HAProxy reads at most `tune.bufsize` bytes as a line, so long
 * batches are split); a command that changes something answers nothing or a known word, everything else is an error.
 */
import { connect } from 'node:net'

const ANSWER_LIMIT_BYTES = 64 * 2 ** 20
const LINE_LIMIT_BYTES = 8 * 1024
const TIMEOUT_MS = 5000
const DONE = new Set(['', 'New server registered.', 'Server deleted.'])

/** HAProxy cannot be asked: it is dead, starting, or stuck. */
export class RuntimeUnreachable extends Error {
  override readonly name = 'RuntimeUnreachable'
}

/** One command (or a batch) and its whole answer. */
export function ask(socketPath: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    const fail = (why: string, cause?: unknown) => {
      socket.destroy()
      reject(new RuntimeUnreachable(`HAProxy's socket ${socketPath} ${why}`, { cause }))
    }
    const socket = connect(socketPath, () => socket.end(`${line}\n`))
    socket.setTimeout(TIMEOUT_MS, () => fail(`did not answer within ${TIMEOUT_MS / 1000} s`))
    socket.on('error', (error) => fail('is closed', error))
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      sizeBytes += chunk.length
      if (sizeBytes > ANSWER_LIMIT_BYTES) fail('answered more than 64 MiB')
    })
    socket.on('end', () => resolve(Buffer.concat(chunks).toString('latin1')))
  })
}

/** Runs commands that change something, in order. Throws at the first batch in which one did not work. */
export async function tell(socketPath: string, commands: readonly string[]): Promise<void> {
  for (const batch of batches(commands)) {
    const answer = await ask(socketPath, batch.join(';'))
    const trouble = answer.split('\n').find((line) => !DONE.has(line.trim()))
    if (trouble !== undefined)
      throw new Error(`HAProxy refused a change: ${trouble.trim()} (of: ${batch.join('; ').slice(0, 2000)})`)
  }
}

function* batches(commands: readonly string[]): Generator<string[]> {
  let batch: string[] = []
  let sizeBytes = 0
  for (const command of commands) {
    if (/[;\n\\]/.test(command)) throw new Error(`a command with a separator in it: ${JSON.stringify(command)}`)
    if (sizeBytes + command.length + 1 > LINE_LIMIT_BYTES && batch.length > 0) {
      yield batch
      batch = []
      sizeBytes = 0
    }
    batch.push(command)
    sizeBytes += command.length + 1
  }
  if (batch.length > 0) yield batch
}
