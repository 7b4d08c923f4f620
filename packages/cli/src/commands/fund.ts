/** `perennial fund APP AMOUNT`: says what the amount buys, pays it once, and shows the receipt. */
import { setTimeout as sleep } from 'node:timers/promises'
import { InvalidArgumentError, type Command } from 'commander'
import { NodeUnreachable, type Client } from '@perennial/client'
import {
  formatAmount,
  formatExact,
  Malformed,
  methods,
  newId,
  parseAmount,
  writeOutput,
  type InputOf,
  type Micros,
  type OutputOf,
  type Refusal,
} from '@perennial/protocol'
import { granted } from '../node-client.ts'
import { contextOf, examples } from './context.ts'
import { runwayWords } from './runway.ts'

interface Options {
  readonly name?: string
  readonly id?: string
  readonly quote?: boolean
}

type Receipt = OutputOf<typeof methods.funding.contribute>

const TRIES = 4

export function fund(cli: Command): void {
  cli
    .command('fund')
    .argument('<app>', 'its slug or its id')
    .argument('<amount>', 'such as 5.00', amountOf)
    .summary('pay for an app')
    .description(methods.funding.contribute.summary)
    .option('--name <name>', 'what to call you in public (default: nobody is named)')
    .option('--id <uuid>', 'the id of a payment whose answer you never got: it is not paid twice')
    .option('--quote', 'only say what the amount would buy')
    .addHelpText(
      'after',
      examples(
        'perennial fund hello--octo 5.00',
        'perennial fund hello--octo 5.00 --name tern',
        'perennial fund hello--octo 20 --quote',
      ),
    )
    .action(async (app: string, amount: Micros, { name, id, quote }: Options, command: Command) => {
      const { client, out } = await contextOf(command)
      if (quote) {
        const offered = granted(await client.call(methods.funding.quote, { app, amount }))
        const text = `${formatExact(amount)} ${offered.asset} would keep ${app} until ${runwayWords(offered.runway)}.`
        out.answer(text, writeOutput(methods.funding.quote, offered))
        return
      }
      const payment = { id: id ?? newId(), app, amount, ...(name && { name }) }
      const receipt = granted(await payOnce(client, payment, (line) => out.note(line)))
      out.answer(describe(app, receipt), writeOutput(methods.funding.contribute, receipt))
    })
}

/** A lost answer is asked for again under the same id: the node pays once, however often it is told. */
async function payOnce(
  client: Client,
  payment: InputOf<typeof methods.funding.contribute>,
  note: (line: string) => void,
): Promise<Receipt | Refusal> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.call(methods.funding.contribute, payment)
    } catch (error) {
      if (!(error instanceof NodeUnreachable) || attempt === TRIES) throw error
      note(`no answer; asking again for payment ${payment.id}`)
      await sleep(250 * 2 ** attempt)
    }
  }
}

function describe(app: string, { amount, asset, parts, state, runway, seq, id }: Receipt): string {
  const { purse, reserve, commons } = parts
  return [
    `Paid ${formatExact(amount)} ${asset} for ${app}: ${formatAmount(purse)} to its purse, ${formatAmount(reserve)} to its reserve, ${formatAmount(commons)} to the commons.`,
    `It is ${state}, and lasts until ${runwayWords(runway)}.`,
    `Row ${seq} of the ledger; payment ${id}.`,
  ].join('\n')
}

function amountOf(text: string): Micros {
  try {
    return parseAmount(text)
  } catch (error) {
    if (error instanceof Malformed) throw new InvalidArgumentError(error.message)
    throw error
  }
}
