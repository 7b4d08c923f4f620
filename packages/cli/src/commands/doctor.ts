/** `perennial doctor`: what this machine has and lacks for a node, and the one command that mends it. */
import type { Command } from 'commander'
import { examine, isReady, mendable, type Finding } from '../bootstrap/doctor.ts'
import { asRoot, launcher } from '../bootstrap/places.ts'
import { CommandFailed } from '../fail.ts'
import { examples, outputOf } from './context.ts'
import { DEFAULTS, folder, hostPort, needRoot } from './up.ts'

interface Options {
  readonly data: string
  readonly listen: ReturnType<typeof hostPort>
  readonly fix?: boolean
}

const MARKS = { ok: '✓', lacks: '✗', warns: '!', unknown: '?' } as const

export function doctor(cli: Command): void {
  cli
    .command('doctor')
    .summary('what this machine lacks for a node')
    .description(
      'Looks at packages, user, kernel, port, disk and memory. With --fix, as root, installs what is missing.',
    )
    .option('--fix', 'install what is missing, after saying what and why')
    .option('--data <folder>', 'the data folder to look at', folder, DEFAULTS.data)
    .option('--listen <host:port>', 'the address to look at', hostPort, hostPort(DEFAULTS.listen))
    .addHelpText('after', examples('perennial doctor', 'sudo perennial doctor --fix', 'perennial doctor --json'))
    .action(async ({ data, listen, fix }: Options, command: Command) => {
      if (fix) needRoot('doctor', '--fix')
      const out = outputOf(command)
      const place = { data, ...listen }
      let findings = await examine(place)
      if (fix && mendable(findings).length > 0) {
        for (const { name, state, sentence } of findings)
          if (state === 'lacks') out.note(`missing: ${name}: ${sentence}`)
        for (const { fix: mend } of mendable(findings)) await mend?.((line) => out.note(`→ ${line}`))
        findings = await examine(place)
      }
      const ready = isReady(findings)
      const mending = asRoot(`${launcher} doctor --fix`)
      out.answer(describe(findings), {
        ready,
        findings: findings.map(({ name, state, sentence }) => ({ name, state, sentence })),
      })
      if (ready) return
      const nextStep = mendable(findings).length > 0 ? `to mend it: ${mending}` : 'mend the lines marked ✗'
      throw new CommandFailed('this machine is not ready for a node', { nextStep })
    })
}

function describe(findings: readonly Finding[]): string {
  return findings.map(({ name, state, sentence }) => `${MARKS[state]} ${name.padEnd(22)} ${sentence}`).join('\n')
}
