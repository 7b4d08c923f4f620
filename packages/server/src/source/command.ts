/**
 * A command line of a Procfile or an npm script, as an argument vector.
 *
 * A plain command runs without a shell in between, so that a request to stop reaches the program itself. What
 * needs a shell gets one. `npm start` and `npm run x` become the script they name: npm would only wait beside it.
 */
export interface Command {
  readonly argv: readonly string[]
  /** It calls npm while it runs, which only the larger image has. */
  readonly needsNpm: boolean
}

/** Without a prototype: scripts may have any name. */
type Scripts = Readonly<Record<string, string>>

const MOST_NESTED = 5
const PLAIN = /^[A-Za-z0-9_./:=@%+,-]+(?: +[A-Za-z0-9_./:=@%+,-]+)*$/
const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/
/** Without these, a line is one command with words to expand. */
const SEVERAL_COMMANDS = /[;&|<>(){}\n`]/

export function resolveCommand(command: string, scripts: Scripts): Command {
  const { line, before } = expandScript(command.trim(), scripts)
  const needsNpm = [...before, line].some((text) => /(?:^|[\s;&|(])(?:npm|npx)(?:\s|$)/.test(text))
  if (before.length === 0) return { argv: argvOf(line), needsNpm }
  const first = before.map((text) => `{ ${text}\n} && `).join('')
  return { argv: ['sh', '-c', first + (isSingle(line) ? `exec ${line}` : `{ ${line}\n}`)], needsNpm }
}

/** The text of the script that `command` names, and the scripts that npm runs before it. */
function expandScript(command: string, scripts: Scripts): { line: string; before: string[] } {
  let line = command
  const before: string[] = []
  for (let depth = 0; depth < MOST_NESTED; depth++) {
    const named = /^(?:npm|yarn|pnpm)(?: (?:--silent|-s))?(?: run| run-script)? ([A-Za-z0-9_:.-]+)(?: -- (.+))?$/.exec(
      line,
    )
    const [, name = '', more] = named ?? []
    const script = scripts[name]
    if (!named || script === undefined) break
    const earlier = scripts[`pre${name}`]
    if (earlier !== undefined) before.push(earlier)
    line = more === undefined ? script.trim() : `${script.trim()} ${more}`
  }
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
