/** `perennial open APP`: says where an app answers, and shows it in a browser where there is one. */
import { spawn } from 'node:child_process'
import type { Command } from 'commander'
import { methods } from '@perennial/protocol'
import { granted } from '../node-client.ts'
import { contextOf, examples } from './context.ts'

export function open(cli: Command): void {
  cli
    .command('open <app>')
    .summary('where an app answers')
    .description('Prints where an app and its page are; on a desktop, opens the app in the browser.')
    .option('--page', "open the app's page on the node instead: money, log, history")
    .addHelpText('after', examples('perennial open hello--octo', 'perennial open hello--octo --page'))
    .action(async (name: string, { page }: { page?: boolean }, command: Command) => {
      const { client, out } = await contextOf(command)
      const app = granted(await client.call(methods.apps.get, { app: name }))
      out.answer(`App: ${app.url}\nPage: ${app.page}`, { url: app.url, page: app.page })
      if (!out.json && process.stdout.isTTY && (process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY']))
        show(page ? app.page : app.url)
    })
}

/** Without a browser the printed address is all there is to it. */
function show(url: string): void {
  spawn('xdg-open', [url], { stdio: 'ignore', detached: true })
    .on('error', () => undefined)
    .unref()
}
