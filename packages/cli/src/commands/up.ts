/** `perennial up`: a node on this machine, kept open until Ctrl-C. Needs root; says so otherwise. */
import { isAbsolute, resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import { asRoot, launcher } from '../bootstrap/places.ts'
import { up as openNode } from '../bootstrap/up.ts'
import { CommandFailed } from '../fail.ts'
import { examples, outputOf } from './context.ts'

const DATA = '/var/lib/perennial'
const LISTEN = '127.0.0.1:8080'

interface Options {
  readonly data: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly sample?: boolean
}

export function up(cli: Command): void {
  cli
    .command('up')
    .summary('open a node on this machine')
    .description('Installs what is missing after saying what and why, opens a node and keeps it open until Ctrl-C.')
    .option('--data <folder>', 'where everything that must survive lives', folder, DATA)
    .option('--listen <host:port>', 'where people reach the node and its apps', hostPort, hostPort(LISTEN))
    .option('--sample', 'also deploy and pay for a small app from a git URL')
    .addHelpText(
      'after',
      examples('perennial up', 'perennial up --sample', 'perennial up --data /srv/perennial --listen 127.0.0.1:9090'),
    )
    .action(async ({ data, listen, sample }: Options, command: Command) => {
      needRoot('up', ...process.argv.slice(3))
      await openNode({ data, ...listen, sample: sample === true }, outputOf(command))
    })
}

/** Before anything is touched: an ordinary user gets the one command and a machine as it was. */
export function needRoot(...words: string[]): void {
  if (process.getuid?.() === 0) return
  const why = 'a node needs root to start sandboxes: memory limits, mounts and network namespaces'
  throw new CommandFailed(`${why}. Run: ${asRoot([launcher, ...words].join(' '))}`, { exitCode: 2 })
}

export function folder(path: string): string {
  return isAbsolute(path) ? resolve(path) : resolve(process.cwd(), path)
}

export function hostPort(text: string): Options['listen'] {
  const [, host, port] = /^([a-z0-9.-]{1,253}):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || Number(port) > 65_535) throw new InvalidArgumentError(`write it as ${LISTEN}`)
  return { host, port: Number(port) }
}

export const DEFAULTS = { data: DATA, listen: LISTEN }
