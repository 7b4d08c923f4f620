/** `perennial deploy URL`: from a public repository to a running app, step by step. */
import type { Command } from 'commander'
import { formatAmount, methods } from '@perennial/protocol'
import { followDeployment, mustRun } from '../deployment.ts'
import { granted } from '../node-client.ts'
import { contextOf, examples } from './context.ts'

interface Options {
  readonly ref?: string
  readonly root?: string
  readonly wait: boolean
}

export function deploy(cli: Command): void {
  cli
    .command('deploy <url>')
    .summary('fetch, build and run a public repository')
    .description(methods.apps.deploy.summary)
    .option('--ref <name>', 'a branch, a tag or a commit (default: what the repository calls its main branch)')
    .option('--root <folder>', 'the folder of the repository that is the app (default: its top)')
    .option('--no-wait', 'return as soon as the node has taken it on')
    .addHelpText(
      'after',
      examples(
        'perennial deploy https://forge.example/octo/hello',
        'perennial deploy https://forge.example/octo/hello --ref v2',
        'perennial deploy https://forge.example/octo/tools --root packages/web',
      ),
    )
    .action(async (url: string, { ref, root, wait }: Options, command: Command) => {
      const { client, out } = await contextOf(command)
      const input = { url, ...(ref && { ref }), ...(root && { root }) }
      const { app, deployment } = granted(await client.call(methods.apps.deploy, input))
      out.note(`${app.slug}: costs at most ${formatAmount(deployment.ceiling)} to build`)
      const last = wait
        ? await out.step(`Deploying ${app.slug}`, (say) => followDeployment(client, deployment.id, { say }))
        : deployment
      if (wait) mustRun(last)
      const { id, status } = last
      out.answer(`App: ${app.url}\nPage: ${app.page}`, {
        app: app.slug,
        url: app.url,
        page: app.page,
        deployment: id,
        status,
      })
    })
}
