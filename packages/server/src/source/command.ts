/**
 * A command line of a Procfile or a script, as an argument vector.
 *
 * A plain command runs without a shell in between, so that a request to stop reaches the program itself. What
 * needs a shell gets one. `npm start` and `yarn x` become the script they name: npm would only wait beside it.
 */
export interface Command {
  readonly argv: readonly string[]
  /** The last line that it comes to, without what runs before it. */
  readonly line: string
  /** It calls a package manager while it runs, which not every image has. */
  readonly needs: ReadonlySet<'npm' | 'pnpm' | 'yarn'>
}

export interface Known {
  /** Without a prototype: scripts may have any name. */
  readonly scripts: Readonly<Record<string, string>>
  /** Whose programs are on the path: `npx x` is `x`. */
  readonly dependencies: ReadonlySet<string>
}

const MOST_NESTED = 5
const PLAIN = /^[A-Za-z0-9_./:=@%+,-]+(?: +[A-Za-z0-9_./:=@%+,-]+)*$/
const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/
/** Without these, a line is one command with words to expand. */
const SEVERAL_COMMANDS = /[;&|<>(){}\n`]/
const SCRIPT =
  /^(npm|yarn|pnpm)(?: (?:--silent|-s))?(?: run| run-script)? ([A-Za-z0-9_:.-]+)(?: (?:(-- )(.+)|([^-].*|-[^-].*|--[^ ].*)))?$/
const PROGRAM = /^(?:npx|yarn|yarn exec|pnpm|pnpm exec|npm exec --) ([a-z0-9][a-z0-9.-]*)( .+)?$/
const MANAGER = /(?:^|[\s;&|(])(npm|npx|pnpm|pnpx|yarn)(?=\s|$)/g

export function resolveCommand(command: string, known: Known): Command {
  const { line, before } = expand(command.trim(), known)
  const needs = new Set<'npm' | 'pnpm' | 'yarn'>()
  for (const text of [...before, line])
    for (const [, name = ''] of text.matchAll(MANAGER))
      needs.add(name === 'yarn' ? 'yarn' : name.startsWith('pnp') ? 'pnpm' : 'npm')
  if (before.length === 0) return { argv: argvOf(line), line, needs }
  const first = before.map((text) => `{ ${text}\n} && `).join('')
  return { argv: ['sh', '-c', first + (isSingle(line) ? `exec ${line}` : `{ ${line}\n}`)], line, needs }
}

/** The text of the script that `command` names, and the scripts that run before it. */
function expand(command: string, { scripts, dependencies }: Known): { line: string; before: string[] } {
  let line = command
  const before: string[] = []
  for (let depth = 0; depth < MOST_NESTED; depth++) {
    const [, manager, name = '', , afterDashes, plain] = SCRIPT.exec(line) ?? []
    const script = scripts[name]
    // npm takes words of its own unless they follow `--`; the others pass them on.
    if (manager === undefined || script === undefined || (manager === 'npm' && plain !== undefined)) break
    const earlier = scripts[`pre${name}`]
    if (earlier !== undefined) before.push(earlier)
    const more = afterDashes ?? plain
    line = more === undefined ? script.trim() : `${script.trim()} ${more}`
  }
  const [, program, rest = ''] = PROGRAM.exec(line) ?? []
  if (program !== undefined && dependencies.has(program) && scripts[program] === undefined) line = program + rest
  return { line, before }
}

function argvOf(line: string): readonly string[] {
  if (PLAIN.test(line)) {
    const words = line.split(/ +/)
    return ASSIGNMENT.test(line) ? ['env', ...words] : words
  }
  return ['sh', '-c', isSingle(line) ? `exec ${line}` : line]
}

function isSingle(line: string): boolean {
  return !SEVERAL_COMMANDS.test(line) && !ASSIGNMENT.test(line)
}
