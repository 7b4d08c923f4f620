/**
 * The Python package index that root's pip is set to use, as environment for the node (see npm-settings.ts).
 *
 * Nothing where root has no pip or has set none: builds then use the index that their own pip has built in.
 */
import { command } from './command.ts'

const PASSED = ['index-url', 'cert', 'proxy']

export async function pipSettings(): Promise<Record<string, string>> {
  const { stdout, code } = await command(['python3', '-m', 'pip', 'config', 'list'], { cwd: '/' })
  if (code !== 0) return {}
  const found: Record<string, string> = {}
  // As in pip itself, a command's own section beats `global`, and the environment beats both.
  for (const section of ['global', 'install', ':env:'])
    for (const key of PASSED) {
      const start = `${section}.${key}='`
      const line = stdout.split('\n').find((each) => each.startsWith(start) && each.endsWith("'"))
      if (line) found[`PIP_${key.toUpperCase().replaceAll('-', '_')}`] = line.slice(start.length, -1)
    }
  return found
}
