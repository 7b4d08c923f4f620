/** `perennial logs APP`: what an app and its builds printed, and with --follow what they print. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { methods, type OutputOf } from '@perennial/protocol'
import { granted } from '../node-client.ts'
import { contextOf, examples } from './context.ts'

interface Options {
  readonly follow?: boolean
  readonly source?: string
  readonly after?: string
}

type Line = OutputOf<typeof methods.apps.logs>['lines'][number]

const ASK_EVERY_MS = 500
const PAGE = 500

export function logs(cli: Command): void {
  cli
    .command('logs <app>')
    .summary('what an app and its builds printed')
    .description(methods.apps.logs.summary)
    .option('-f, --follow', 'go on with what it prints from now on')
    .option('--source <name>', 'only lines of: web, a worker’s name, release, build, node')
    .option('--after <seq>', 'only lines after this place in the log')
    .addHelpText('after', examples('perennial logs hello--octo --follow', 'perennial logs hello--octo --source build'))
    .action(async (app: string, { follow, source, after }: Options, command: Command) => {
      const { client, out } = await contextOf(command)
      let from = after === undefined ? undefined : BigInt(/^\d{1,18}$/.test(after) ? after : 0)
      for (;;) {
        const input = { app, limit: PAGE, ...(source && { source }), ...(from !== undefined && { after: from }) }
        const { lines, next } = granted(await client.call(methods.apps.logs, input))
        for (const line of lines) out.answer(describe(line), { ...line, seq: line.seq.toString() })
        from = next
        if (lines.length === PAGE) continue
        if (!follow) return
        await sleep(ASK_EVERY_MS)
      }
    })
}

/** One line each, whatever it holds. */
export function describe({ at, source, text }: Line): string {
  return `${at.toISOString().slice(11, 19)} ${source.padEnd(6)} ${text.replaceAll(/[\r\n]+/g, ' ')}`
}
