/** `perennial run APP`: runs an app that was stopped; `perennial run APP -- COMMAND`: runs a command once in a copy of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { methods, writeOutput, type OutputOf } from '@perennial/protocol'
import { granted } from '../node-client.ts'
import { contextOf, examples, type Context } from './context.ts'
import { describe } from './logs.ts'

const ASK_EVERY_MS = 400
const PAGE = 500
/** What it printed last may be on its way to the log when it has ended. */
const LAST_LINES_MS = 1_000

export function run(cli: Command): void {
  cli
    .command('run <app> [command...]')
    .summary('run a command once, or an app that was stopped')
    .description(
      `${methods.processes.run.summary} Without a command: ${methods.apps.run.summary} Only whoever administers the app may. Ends with the command's exit code.`,
    )
    .addHelpText('after', examples('perennial run hello--octo', 'perennial run hello--octo -- node report.js --all'))
    .action(async (app: string, words: string[], _: object, command: Command) => {
      const context = await contextOf(command)
      if (words.length > 0) return once(app, words, context)
      const { client, out } = context
      const now = granted(await client.call(methods.apps.run, { app }))
      out.answer(`${now.slug} runs again: ${now.url}`, writeOutput(methods.apps.run, now))
    })
}

async function once(app: string, words: string[], { client, out }: Context): Promise<void> {
  let now: OutputOf<typeof methods.processes.run> = granted(
    await client.call(methods.processes.run, { app, command: words }),
  )
  let after = 0n
  const print = async (): Promise<void> => {
    for (;;) {
      const asked = { app, source: now.process, limit: PAGE, after }
      const { lines, next } = granted(await client.call(methods.apps.logs, asked))
      for (const line of lines) out.answer(describe(line), { ...line, seq: line.seq.toString() })
      after = next
      if (lines.length < PAGE) return
    }
  }
  while (now.endedAt === null) {
    await sleep(ASK_EVERY_MS)
    await print()
    now = granted(await client.call(methods.processes.get, { id: now.id }))
  }
  await sleep(LAST_LINES_MS)
  await print()
  out.answer(`${now.process} ${now.sentence ?? 'ended'}`, writeOutput(methods.processes.get, now))
  process.exitCode = now.exitCode ?? 1
}
