/** The tree as text: path relative to the clone → contents. Rules are functions of it, so that a test can plant a violation. */
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { clone } from '../../packages/cli/src/bootstrap/places.ts'

export type Tree = ReadonlyMap<string, string>

/** What a rule found: one line each, the file first. */
export type Problems = string[]

const TEXT =
  /\.(ts|js|mjs|sql|md|json|jsonc|css|html|svg|sh|txt|conf|c)$|\/(run|perennial|LICENSE|Procfile|\.npmrc|\.gitignore)$/
const MAX_BYTES = 2 * 2 ** 20

export function readTree(): Tree {
  const skipped = (path: string) => /(^|\/)(node_modules|\.git|dist|\.testing)$/.test(path)
  const paths = globSync(['**/*', '.*', '.ci/*'], { cwd: clone, exclude: skipped }).filter((path) =>
    TEXT.test(`/${path}`),
  )
  const files = paths.filter((path) => {
    const about = statSync(join(clone, path))
    return about.isFile() && about.size <= MAX_BYTES
  })
  return new Map(files.toSorted().map((path) => [path, readFileSync(join(clone, path), 'utf8')]))
}

export function planted(files: Record<string, string>): Tree {
  return new Map(Object.entries(files))
}

/** Files that exist for tests: they may import and say more than what ships. */
export function isTest(path: string): boolean {
  return /\.test\.ts$|(^|\/)testing(\.ts$|\/)|^test\/|^bench\/|^packages\/testnet\//.test(path)
}

/** Lines of every file that `applies` to and `pattern` matches. */
export function linesMatching(tree: Tree, applies: (path: string) => boolean, pattern: RegExp): Problems {
  return [...tree].flatMap(([path, text]) =>
    applies(path)
      ? text
          .split('\n')
          .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : []))
      : [],
  )
}
