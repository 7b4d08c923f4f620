/** `perennial ps`: every app of the node, soonest to stop first. */
import type { Command } from 'commander'
import { formatAmount, methods, writeOutput } from '@perennial/protocol'
import { granted } from '../node-client.ts'
import { table } from '../output.ts'
import { contextOf, examples } from './context.ts'
import { runwayWords } from './runway.ts'

export function ps(cli: Command): void {
  cli
    .command('ps')
    .summary('the apps of this node')
    .description(methods.apps.list.summary)
    .addHelpText('after', examples('perennial ps', "perennial ps --json | jq -r '.apps[].slug'"))
    .action(async (_: object, command: Command) => {
      const { client, out } = await contextOf(command)
      const answer = granted(await client.call(methods.apps.list, {}))
      const rows = answer.apps.map((app) => [
        app.slug,
        app.state,
        app.activity,
        formatAmount(app.purse),
        runwayWords(app.runway),
        app.url,
      ])
      const text =
        rows.length === 0
          ? 'No apps yet: perennial deploy URL'
          : table(['APP', 'MONEY', 'NOW', '>PURSE', 'LASTS UNTIL', 'URL'], rows)
      out.answer(text, writeOutput(methods.apps.list, answer))
    })
}
