/** `perennial stop APP`: stops an app until it is run again. */
import type { Command } from 'commander'
import { methods, writeOutput } from '@perennial/protocol'
import { granted } from '../node-client.ts'
import { contextOf, examples } from './context.ts'

export function stop(cli: Command): void {
  cli
    .command('stop <app>')
    .summary('stop an app until it is run again')
    .description(`${methods.apps.stop.summary} Only whoever administers it may.`)
    .addHelpText('after', examples('perennial stop hello--octo'))
    .action(async (app: string, _: object, command: Command) => {
      const { client, out } = await contextOf(command)
      const now = granted(await client.call(methods.apps.stop, { app }))
      out.answer(`${now.slug} is stopped; to run it: perennial run ${now.slug}`, writeOutput(methods.apps.stop, now))
    })
}
