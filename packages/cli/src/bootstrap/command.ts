/** Runs one program to its end and keeps what it printed. An exit code is an answer, not an Error. */
import { spawn } from 'node:child_process'

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A program that is not there answers 127, as a shell would. */
export function command(
  argv: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<Finished> {
  const [program = '', ...rest] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    const printed = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (printed.stderr += text))
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve({ code: 127, stdout: '', stderr: `${program}: not found` })
      else reject(error)
    })
    child.on('close', (code, signal) => resolve({ code: code ?? (signal ? 128 : 1), ...printed }))
  })
}

/** The same for a step that must succeed: otherwise an Error with the step's own last words. */
export async function mustRun(
  argv: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<string> {
  const done = await command(argv, options)
  if (done.code === 0) return done.stdout
  const words = (done.stderr.trim() || done.stdout.trim()).split('\n').slice(-8).join('\n  ')
  throw new Error(`${argv.slice(0, 3).join(' ')} … ended with exit code ${done.code}:\n  ${words}`)
}
