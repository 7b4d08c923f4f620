/**
 * `perennial call SERVICE METHOD`: every method of the catalogue, its options and its help from its declaration.
 *
 * What travels is what is typed, in the wire's own form (micros, ids); what comes back is printed as JSON.
 */
import type { Command } from 'commander'
import * as protocol from '@perennial/protocol'
import { CommandFailed } from '../fail.ts'
import { granted } from '../node-client.ts'
import { contextOf } from './context.ts'

export function call(cli: Command): void {
  const all = cli
    .command('call')
    .summary('any method of the node, as declared')
    .description('Calls a method as its declaration says and prints its answer as JSON.')
  for (const service of new Set(protocol.allMethods.map((declared) => declared.service))) {
    const group = all.command(service).summary(`methods of ${service}`)
    for (const declared of protocol.allMethods) if (declared.service === service) addMethod(group, declared)
  }
}

function addMethod(group: Command, declared: protocol.Method): void {
  const command = group.command(declared.name).summary(declared.summary).description(declared.summary)
  for (const { name, required, about } of membersOf(declared))
    if (required) command.requiredOption(`--${name} <value>`, about)
    else command.option(`--${name} <value>`, about)
  command.addHelpText('after', `\nExamples:\n  ${exampleOf(declared)}`)
  command.action(async (wire: Record<string, string>, self: Command) => {
    const { client, out } = await contextOf(self)
    const input = protocol.readInput(declared, wire)
    if (!input.ok) throw new CommandFailed(input.problem, { exitCode: 2 })
    const answer = granted((await client.call(declared, input.value)) as object)
    const document = protocol.writeOutput(declared, answer)
    out.answer(JSON.stringify(document, null, 2), document)
  })
}

interface Member {
  readonly name: string
  readonly required: boolean
  readonly about: string
}

/** The input as JSON Schema sees it: the same text that the OpenAPI page shows. */
function membersOf(declared: protocol.Method): Member[] {
  const schema = protocol.inputSchema(declared)
  return Object.entries(schema.properties ?? {}).map(([name, { description }]) => ({
    name,
    required: schema.required?.includes(name) === true,
    about: description ?? '',
  }))
}

function exampleOf({ service, name, example }: protocol.Method): string {
  const words = Object.entries(example as Record<string, unknown>).map(([key, value]) => `--${key} ${String(value)}`)
  return ['perennial call', service, name, ...words].join(' ')
}
