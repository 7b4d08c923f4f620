/** `perennial rotate config`: seals apps' secret settings under a new key, while the node runs. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Argument, type Command } from 'commander'
import { methods } from '@perennial/protocol'
import { CommandFailed } from '../fail.ts'
import { clientFor, granted } from '../node-client.ts'
import { examples, outputOf } from './context.ts'
import { DEFAULTS, folder } from './up.ts'

export function rotate(cli: Command): void {
  cli
    .command('rotate')
    .addArgument(new Argument('<key>', 'which one').choices(['config']))
    .summary('replace a key of a node on this machine')
    .description(`${methods.node.rotate.summary} The node has to run; whoever may read its own key may do this.`)
    .option('--data <folder>', 'where the node keeps everything', folder, DEFAULTS.data)
    .addHelpText('after', examples('perennial rotate config', 'perennial rotate config --data /srv/perennial'))
    .action(async (key: 'config', { data }: { data: string }, command: Command) => {
      const own = join(data, 'node', 'keys', 'node')
      if (!existsSync(own))
        throw new CommandFailed(`no node's key is at ${own}`, { nextStep: 'name its folder: --data', exitCode: 2 })
      const client = await clientFor({ ...command.optsWithGlobals<{ node?: string }>(), key: own })
      granted(await client.call(methods.node.rotate, { key }))
      outputOf(command).answer(
        'Secret settings are sealed under a new key. Backups of the old key open nothing any more.',
        { key },
      )
    })
}
