/**
 * Which packages a Python repository names. Only hints follow from it: what is installed is for pip to read.
 *
 *   requirements.txt   Flask==3.0.0        pyproject.toml   dependencies = ["fastapi>=0.100"]
 */
const MOST_LINES = 5000
const LONGEST = 262_144

export function requirementNames(text: string): ReadonlySet<string> {
  const names = new Set<string>()
  for (const line of text.slice(0, LONGEST).split(/\r?\n/, MOST_LINES)) {
    const name = /^\s*([A-Za-z0-9][A-Za-z0-9._-]{0,99})\s*(?:[[=<>!~;@#]|$)/.exec(line)?.[1]
    if (name !== undefined) names.add(normal(name))
  }
  return names
}

/** Strings in lists, and keys: a project's own name among them does no harm. */
export function projectNames(text: string): ReadonlySet<string> {
  const names = new Set<string>()
  for (const line of text.slice(0, LONGEST).split(/\r?\n/, MOST_LINES)) {
    for (const [, name = ''] of line.matchAll(/["']([A-Za-z0-9][A-Za-z0-9._-]{0,99})(?=["'\s[=<>!~;@])/g))
      names.add(normal(name))
    const key = /^([A-Za-z0-9][A-Za-z0-9._-]{0,99})\s*=/.exec(line)?.[1]
    if (key !== undefined) names.add(normal(key))
  }
  return names
}

/** Modules that a program imports. */
export function importedNames(text: string): ReadonlySet<string> {
  const names = new Set<string>()
  for (const line of text.slice(0, LONGEST).split(/\r?\n/, MOST_LINES)) {
    const name = /^\s{0,8}(?:from|import)\s+([A-Za-z_][A-Za-z0-9_]{0,99})/.exec(line)?.[1]
    if (name !== undefined) names.add(normal(name))
  }
  return names
}

/** PyPA's rule: case does not count, and `.`, `-` and `_` are one. */
function normal(name: string): string {
  return name.toLowerCase().replace(/[._-]+/g, '-')
}
