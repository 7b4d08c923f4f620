/** `perennial statement APP`: every row of an app's purse, or of any other public account. */
import type { Command } from 'commander'
import type { Client } from '@perennial/client'
import { formatExact, methods, writeOutput, type OutputOf } from '@perennial/protocol'
import { CommandFailed } from '../fail.ts'
import { granted } from '../node-client.ts'
import { table } from '../output.ts'
import { contextOf, examples } from './context.ts'

interface Options {
  readonly after?: string
  readonly limit: string
}

type Statement = OutputOf<typeof methods.ledger.statement>

export function statement(cli: Command): void {
  cli
    .command('statement <account>')
    .summary("where an app's money came from and went")
    .description(`${methods.ledger.statement.summary} An app's name stands for its purse.`)
    .option('--after <seq>', 'rows after this one, oldest first')
    .option('--limit <rows>', 'how many', '50')
    .addHelpText(
      'after',
      examples(
        'perennial statement hello--octo',
        'perennial statement commons',
        'perennial statement app/<id>/reserve --after 120',
      ),
    )
    .action(async (name: string, { after, limit }: Options, command: Command) => {
      const { client, out } = await contextOf(command)
      const [first, size] = [numberOf('--after', after), numberOf('--limit', limit)]
      const input = {
        account: await accountOf(client, name),
        limit: Number(size),
        ...(first !== undefined && { after: first }),
      }
      const found = granted(await client.call(methods.ledger.statement, input))
      out.answer(describe(found), writeOutput(methods.ledger.statement, found))
    })
}

/** Accounts of the node itself have a name without a path, so they are asked for first. */
async function accountOf(client: Client, name: string): Promise<string> {
  if (name.includes('/') || name === 'commons' || name === 'allowance') return name
  const app = granted(await client.call(methods.apps.get, { app: name }))
  return `app/${app.id}/purse`
}

function describe({ account, rows }: Statement): string {
  const lines = rows.map(({ seq, at, code, debit, credit, amount, balance }) => {
    const out = debit === account.name
    const sum = `${out ? '−' : '+'}${formatExact(amount)}`
    return [
      seq.toString(),
      at.toISOString().slice(0, 19).replace('T', ' '),
      code,
      out ? credit : debit,
      sum,
      formatExact(balance),
    ]
  })
  const has = `${account.name} has ${formatExact(account.balance)} ${account.asset}, ${formatExact(account.held)} of it on hold.`
  return `${table(['ROW', 'WHEN (UTC)', 'WHY', 'WITH', '>AMOUNT', '>BALANCE'], lines)}\n${has}`
}

function numberOf(option: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,18}$/.test(text)) return BigInt(text)
  throw new CommandFailed(`${option} ${text} is not a number`, { exitCode: 2 })
}
