/** The command line as a whole: the commands people use, then one per method of the catalogue. */
import { Command } from 'commander'
import { backup } from './commands/backup.ts'
import { call } from './commands/call.ts'
import { config } from './commands/config.ts'
import { deploy } from './commands/deploy.ts'
import { doctor } from './commands/doctor.ts'
import { fund } from './commands/fund.ts'
import { logs } from './commands/logs.ts'
import { open } from './commands/open.ts'
import { ps } from './commands/ps.ts'
import { restore } from './commands/restore.ts'
import { rollback } from './commands/rollback.ts'
import { rotate } from './commands/rotate.ts'
import { run } from './commands/run.ts'
import { statement } from './commands/statement.ts'
import { stop } from './commands/stop.ts'
import { up } from './commands/up.ts'
import { DEFAULT_NODE } from './node-client.ts'

const EXAMPLES = `
Examples:
  perennial up --sample                                       a node on this machine, with an app on it
  perennial deploy https://forge.example/octo/hello           from a repository to a running app
  perennial fund hello--octo 5.00                             keep it running
  perennial logs hello--octo --follow                         what it prints
  perennial statement hello--octo                             where every micro went

Exit codes: 0 done, 1 refused or failed, 2 wrong usage or not possible here.`

export function program(): Command {
  const cli = new Command('perennial')
    .description('Keeps open-source apps running for as long as anyone pays for them.')
    .option('--node <url>', `the node to call (default: PERENNIAL_NODE, or ${DEFAULT_NODE})`)
    .option('--key <path>', 'your key (default: PERENNIAL_KEY, or ~/.config/perennial/key)')
    .option('--json', 'print one JSON object a line, for programs')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(perennial --help says what there is)')
    .exitOverride()
  for (const add of [
    up,
    doctor,
    deploy,
    ps,
    open,
    logs,
    fund,
    run,
    stop,
    statement,
    config,
    rollback,
    backup,
    restore,
    rotate,
    call,
  ])
    add(cli)
  return cli
}
