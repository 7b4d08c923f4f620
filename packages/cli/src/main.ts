/** `perennial`: reads the command line, runs one command, ends with its exit code. */
import { CommanderError } from 'commander'
import { BadAnswer, NodeUnreachable } from '@perennial/client'
import { CommandFailed } from './fail.ts'
import { plain } from './output.ts'
import { program } from './program.ts'

const cli = program()
try {
  await cli.parseAsync()
} catch (error) {
  process.exitCode = report(error)
}

function report(error: unknown): number {
  // Commander has said it already: help, a version, or what is wrong with the words.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const { sentence, nextStep, refusal, exitCode } = inWords(error)
  if (process.argv.includes('--json')) console.log(JSON.stringify({ error: sentence, nextStep, refusal }))
  else console.error(plain([`perennial: ${sentence}`, ...(nextStep ? [`→ ${nextStep}`] : [])].join('\n')))
  return exitCode
}

function inWords(error: unknown): { sentence: string; nextStep?: string; refusal?: string; exitCode: number } {
  if (error instanceof CommandFailed) {
    const { message, nextStep, refusal, exitCode } = error
    return { sentence: message, exitCode, ...(nextStep && { nextStep }), ...(refusal && { refusal }) }
  }
  if (error instanceof NodeUnreachable)
    return {
      sentence: error.message,
      nextStep: 'start one with perennial up, or name one with --node URL',
      exitCode: 1,
    }
  if (error instanceof BadAnswer) return { sentence: error.message, nextStep: 'check --node', exitCode: 1 }
  const known = error instanceof Error
  // A bug of ours is worth its stack; what the system says (EACCES …) speaks for itself.
  const detail = known && !('code' in error) && process.env['PERENNIAL_LOG_LEVEL'] === 'debug' ? `\n${error.stack}` : ''
  return { sentence: (known ? error.message : String(error)) + detail, exitCode: 1 }
}
