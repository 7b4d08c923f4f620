/** What every command that calls a node begins with. */
import type { Command } from 'commander'
import type { Client } from '@perennial/client'
import { clientFor } from '../node-client.ts'
import { openOutput, type Output } from '../output.ts'

export interface Context {
  readonly client: Client
  readonly out: Output
}

interface Shared {
  readonly node?: string
  readonly key?: string
  readonly json?: boolean
}

export async function contextOf(command: Command): Promise<Context> {
  return { client: await clientFor(command.optsWithGlobals<Shared>()), out: outputOf(command) }
}

export function outputOf(command: Command): Output {
  return openOutput({ json: command.optsWithGlobals<Shared>().json === true })
}

export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`
}
