/** `perennial run APP`: runs an app that was stopped. */
import type { Command } from 'commander'
import { methods, writeOutput } from '@perennial/protocol'
import { granted } from '../node-client.ts'
import { contextOf, examples } from './context.ts'

export function run(cli: Command): void {
  cli
    .command('run <app>')
    .summary('run an app that was stopped')
    .description(`${methods.apps.run.summary} Only whoever administers it may.`)
    .addHelpText('after', examples('perennial run hello--octo'))
    .action(async (app: string, _: object, command: Command) => {
      const { client, out } = await contextOf(command)
      const now = granted(await client.call(methods.apps.run, { app }))
      out.answer(`${now.slug} runs again: ${now.url}`, writeOutput(methods.apps.run, now))
    })
}
