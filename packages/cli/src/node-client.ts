/** Which node the command line calls, and with which key: `--node`, `--key`, or what the environment says. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { openClient, type Client } from '@perennial/client'
import { dial, loadKey } from '@perennial/client/node'
import { isRefusal, type Refusal } from '@perennial/protocol'
import { CommandFailed } from './fail.ts'

export const DEFAULT_NODE = 'http://127.0.0.1:8080'

/** Made on first use; whoever has it administers the apps deployed with it. */
export function keyPath(): string {
  return (
    process.env['PERENNIAL_KEY'] ?? join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'perennial/key')
  )
}

export async function clientFor(options: { node?: string | undefined; key?: string | undefined }): Promise<Client> {
  const node = options.node ?? process.env['PERENNIAL_NODE'] ?? DEFAULT_NODE
  if (!URL.canParse(node))
    throw new CommandFailed(`--node ${node} is not an address such as ${DEFAULT_NODE}`, { exitCode: 2 })
  return openClient({ node, key: await loadKey(options.key ?? keyPath()), fetch: dial })
}

/** An answer, or the node's refusal as the command's failure. */
export function granted<T extends object>(answer: T | Refusal): T {
  if (!isRefusal(answer)) return answer
  throw new CommandFailed(answer.sentence, { nextStep: answer.nextStep, refusal: answer.refusal })
}
