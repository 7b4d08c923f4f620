/**
 * `perennial config APP`, `config set`, `config unset`: an app's settings.
 *
 * Values of secrets are never words of a command line, which other users of the machine can read: they are typed without
 * an echo, or come from standard input or a file.
 */
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { Client } from '@perennial/client'
import { methods, writeOutput, type InputOf, type OutputOf } from '@perennial/protocol'
import { followDeployment, mustRun } from '../deployment.ts'
import { CommandFailed } from '../fail.ts'
import { granted } from '../node-client.ts'
import { table, type Output } from '../output.ts'
import { readAll, readHidden } from '../secret-input.ts'
import { contextOf, examples } from './context.ts'

interface SetOptions {
  readonly secret: readonly string[]
  readonly from?: string
  readonly wait: boolean
}

type Vars = InputOf<typeof methods.apps.setConfig>['vars']
type Changed = OutputOf<typeof methods.apps.setConfig>

export function config(cli: Command): void {
  const group = cli.command('config').summary('the settings of an app').description(methods.apps.config.summary)
  group
    .command('show <app>', { isDefault: true })
    .summary('what is set')
    .description(methods.apps.config.summary)
    .addHelpText('after', examples('perennial config hello--octo'))
    .action(async (app: string, _: object, command: Command) => {
      const { client, out } = await contextOf(command)
      const answer = granted(await client.call(methods.apps.config, { app }))
      const rows = answer.settings.map(({ name, value }) => [name, value ?? '(secret)'])
      const text =
        rows.length === 0 ? `Nothing is set: perennial config set ${app} NAME=value` : table(['NAME', 'VALUE'], rows)
      out.answer(text, writeOutput(methods.apps.config, answer))
    })
  group
    .command('set <app> [settings...]')
    .summary('set some')
    .description(`${methods.apps.setConfig.summary} Only whoever administers it may.`)
    .option('--secret <name>', 'a secret setting; its value is typed, or all of standard input', collect, [])
    .option('--from <file>', 'secret settings, one NAME=value a line')
    .option('--no-wait', 'return before the app has started with them')
    .addHelpText(
      'after',
      examples(
        'perennial config set hello--octo GREETING=hello COLOUR=red',
        'perennial config set hello--octo --secret API_KEY',
        'perennial config set hello--octo --secret API_KEY < key.txt',
        'perennial config set hello--octo --from secrets.env',
      ),
    )
    .action(async (app: string, words: readonly string[], options: SetOptions, command: Command) => {
      const { client, out } = await contextOf(command)
      const vars = { ...publicOf(words), ...(await fromFile(options.from)), ...(await typed(options.secret)) }
      if (Object.keys(vars).length === 0)
        throw new CommandFailed('nothing to set', { nextStep: `perennial config set ${app} NAME=value`, exitCode: 2 })
      const changed = granted(await client.call(methods.apps.setConfig, { app, vars }))
      await follow({ client, out, app, changed, wait: options.wait })
    })
  group
    .command('unset <app> <names...>')
    .summary('take some away')
    .description(`${methods.apps.unsetConfig.summary} Only whoever administers it may.`)
    .option('--no-wait', 'return before the app has started without them')
    .addHelpText('after', examples('perennial config unset hello--octo GREETING'))
    .action(async (app: string, names: string[], { wait }: { wait: boolean }, command: Command) => {
      const { client, out } = await contextOf(command)
      const changed = granted(await client.call(methods.apps.unsetConfig, { app, names }))
      await follow({ client, out, app, changed, wait })
    })
}

interface Following {
  readonly client: Client
  readonly out: Output
  readonly app: string
  readonly changed: Changed
  readonly wait: boolean
}

async function follow({ client, out, app, changed, wait }: Following): Promise<void> {
  const { version, deployment } = changed
  if (deployment !== null && wait)
    mustRun(await out.step(`Starting ${app} with it`, (say) => followDeployment(client, deployment, { say })))
  const what =
    deployment === null ? 'It counts from the next start.' : wait ? 'The app runs with it.' : 'The app starts with it.'
  out.answer(`Change ${version} of the settings of ${app}. ${what}`, { app, version, deployment })
}

function collect(name: string, all: readonly string[]): readonly string[] {
  return [...all, name]
}

function publicOf(words: readonly string[]): Vars {
  return Object.fromEntries(
    words.map((word) => [...split(word, 'a setting is written NAME=value'), false] as const).map(setting),
  )
}

/** One a line, as many tools write them; quotes around a value are not part of it. */
async function fromFile(path: string | undefined): Promise<Vars> {
  if (path === undefined) return {}
  const lines = (await readFile(path, 'utf8')).split(/\r?\n/)
  const kept = lines.filter((line) => line.trim() !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    kept.map((line) => {
      const [name, value] = split(line.replace(/^export /, ''), `${path} has a line that is not NAME=value`)
      return setting([name, /^(["'])(.*)\1$/s.exec(value)?.[2] ?? value, true])
    }),
  )
}

async function typed(names: readonly string[]): Promise<Vars> {
  if (names.length > 1 && !process.stdin.isTTY)
    throw new CommandFailed('standard input holds one secret', { nextStep: 'use --from FILE for several', exitCode: 2 })
  const vars: Record<string, Vars[string]> = {}
  for (const name of names) {
    const value = process.stdin.isTTY
      ? await readHidden(`${name}: `)
      : (await readAll(process.stdin)).replace(/\r?\n$/, '')
    vars[name] = { value, secret: true }
  }
  return vars
}

function split(text: string, problem: string): readonly [string, string] {
  const at = text.indexOf('=')
  // What stands there is not repeated: it may be a secret in the wrong place.
  if (at <= 0) throw new CommandFailed(problem, { exitCode: 2 })
  return [text.slice(0, at), text.slice(at + 1)]
}

function setting([name, value, secret]: readonly [string, string, boolean]): [string, Vars[string]] {
  return [name, { value, secret }]
}
