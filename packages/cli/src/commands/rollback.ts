/** `perennial rollback APP [RELEASE]`: runs an earlier release once more. */
import type { Command } from 'commander'
import { methods } from '@perennial/protocol'
import { followDeployment, mustRun } from '../deployment.ts'
import { granted } from '../node-client.ts'
import { contextOf, examples } from './context.ts'

export function rollback(cli: Command): void {
  cli
    .command('rollback <app> [release]')
    .summary('run an earlier release once more')
    .description(methods.apps.rollback.summary)
    .addHelpText('after', examples('perennial rollback hello--octo', 'perennial rollback hello--octo 3'))
    .action(async (app: string, release: string | undefined, _: object, command: Command) => {
      const { client, out } = await contextOf(command)
      const input = { app, ...(release !== undefined && { release }) }
      const { deployment } = granted(await client.call(methods.apps.rollback, input))
      const last = await out.step(`Rolling ${app} back`, (say) => followDeployment(client, deployment, { say }))
      mustRun(last)
      out.answer(`${app} runs ${last.commit?.hash.slice(0, 7) ?? 'it'} again.`, {
        app,
        deployment,
        status: last.status,
      })
    })
}
