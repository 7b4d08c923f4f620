/**
 * Workspaces: whether a folder is a member of the workspace at its repository's top, by the globs that name members.
 *
 *   package.json          "workspaces": ["packages/*", "!packages/old"]
 *   pnpm-workspace.yaml   packages:\n  - "apps/*"
 */
const MOST_GLOBS = 200
const LONGEST = 65_536
const LONGEST_LINE = 500

/** The list below `packages:`, by lines; YAML's other ways of writing it are not read. */
export function parsePnpmWorkspace(text: string): readonly string[] {
  const lines = text.slice(0, LONGEST).split(/\r?\n/)
  const start = lines.findIndex((line) => line.startsWith('packages:'))
  if (start < 0) return []
  const inline = /^packages:\s*\[(.*)\]\s*(?:#.*)?$/.exec(lines[start] ?? '')?.[1]
  if (inline !== undefined) return inline.split(',').slice(0, MOST_GLOBS).map(unquote).filter(Boolean)
  const globs: string[] = []
  for (const line of lines.slice(start + 1)) {
    if (line.length > LONGEST_LINE) break
    if (/^\s*(?:#.*)?$/.test(line)) continue
    const item = /^\s*-\s+(.+)$/.exec(line)?.[1]
    if (item === undefined || globs.length >= MOST_GLOBS) break
    globs.push(unquote(item.replace(/\s+#.*$/, '')))
  }
  return globs
}

function unquote(text: string): string {
  return text.trim().replace(/^(["'])(.*)\1$/, '$2')
}

/** The last glob that matches decides; `*` is one part of a path, `**` any number. */
export function isMember(folder: string, globs: readonly string[]): boolean {
  let member = false
  for (const glob of globs) {
    const not = glob.startsWith('!')
    const parts = glob
      .slice(not ? 1 : 0)
      .replace(/^\.?\//, '')
      .replace(/\/$/, '')
      .split('/')
    if (parts.length <= 20 && matches(folder.split('/'), parts)) member = !not
  }
  return member
}

function matches(folder: readonly string[], glob: readonly string[]): boolean {
  // Row by row, as whole patterns of `**` would otherwise be tried again and again.
  let reached = new Set([0])
  for (const part of glob) {
    const next = new Set<number>()
    for (const at of reached) {
      if (part === '**') for (let to = at; to <= folder.length; to++) next.add(to)
      else if (at < folder.length && matchesPart(folder[at] ?? '', part)) next.add(at + 1)
    }
    reached = next
  }
  return reached.has(folder.length)
}

function matchesPart(name: string, glob: string): boolean {
  const [head = '', ...rest] = glob.split('*')
  const tail = rest.pop()
  if (tail === undefined) return name === glob
  if (!name.startsWith(head) || !name.endsWith(tail) || name.length < head.length + tail.length) return false
  let at = head.length
  for (const middle of rest) {
    const found = name.indexOf(middle, at)
    if (found < 0 || found + middle.length > name.length - tail.length) return false
    at = found + middle.length
  }
  return true
}
