/** `perennial restore APP BACKUP`: replaces all that an app keeps by what a backup holds. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { methods } from '@perennial/protocol'
import { CommandFailed } from '../fail.ts'
import { granted } from '../node-client.ts'
import { contextOf, examples } from './context.ts'

const ASK_EVERY_MS = 300

export function restore(cli: Command): void {
  cli
    .command('restore <app> <backup>')
    .summary('bring back what a backup holds')
    .description(methods.apps.restore.summary)
    .addHelpText('after', examples('perennial restore hello--octo 01938f5e-7a00-7000-8000-000000000000'))
    .action(async (app: string, backup: string, _: object, command: Command) => {
      const { client, out } = await contextOf(command)
      const { id } = granted(await client.call(methods.apps.restore, { app, backup }))
      await out.step(`Restoring ${app}`, async () => {
        for (;;) {
          const { restores } = granted(await client.call(methods.apps.backups, { app }))
          const now = restores.find((one) => one.id === id)
          if (now?.state === 'done') return
          if (now?.state === 'failed') throw new CommandFailed(now.problem ?? 'It was not restored.')
          await sleep(ASK_EVERY_MS)
        }
      })
      out.answer(`${app} has the data of backup ${backup}.`, { app, backup, restore: id })
    })
}
