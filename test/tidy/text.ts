/** What the text of files may not hold, and how long they may be. */
import { isTest, linesMatching, type Problems, type Tree } from './tree.ts'

const MAX_LINES = 400
const isCode = (path: string) => /\.(ts|sql)$/.test(path)
const isScript = (path: string) => /\.(ts|js)$/.test(path) && !path.includes('/assets/')
/** These files speak about what is forbidden. */
const RULES = /^test\/tidy/

export function shortFiles(tree: Tree): Problems {
  return [...tree]
    .filter(([path]) => isCode(path))
    .map(([path, text]) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ path, lines }) => `${path} has ${lines} lines; ${MAX_LINES} at most`)
}

export function noEnums(tree: Tree): Problems {
  return linesMatching(
    tree,
    (path) => path.endsWith('.ts') && !RULES.test(path),
    /^\s*(export\s+)?(declare\s+)?(const\s+)?enum\s+\w+\s*\{/,
  )
}

export function nothingPostponed(tree: Tree): Problems {
  return linesMatching(tree, (path) => isCode(path) && !RULES.test(path), /\b(TODO|FIXME|XXX|HACK)\b/)
}

/** `catch {}` and `.catch(() => {})` swallow; a comment inside says at least why. */
export function noEmptyCatch(tree: Tree): Problems {
  return linesMatching(
    tree,
    (path) => isScript(path) && !RULES.test(path),
    /catch\s*(\([^)]*\))?\s*\{\s*\}|\.catch\(\s*(\(\w*\)|\w+)\s*=>\s*\{\s*\}\s*\)/,
  )
}

export function everyTestRuns(tree: Tree): Problems {
  return linesMatching(
    tree,
    (path) => path.endsWith('.test.ts') && !RULES.test(path),
    /\b(test|it|describe|suite)\.(only|skip|todo)\b|\bt\.(skip|todo)\(|[{,]\s*(skip|only|todo)\s*:\s*(true|\d)/,
  )
}

/** `-- SELECT` in capitals is not ours either way; what counts is a statement outside the places for SQL. */
export function sqlInItsPlace(tree: Tree): Problems {
  const home =
    /\/sql\/|(^|\/)queries\.ts$|\/queries\/|^packages\/ledger\/src\/|^packages\/server\/src\/(database|jobs|events|cluster)\.ts$/
  const statement =
    /[`'"]\s*(select\s+(?!.*[.!?]['"]).*|insert\s+into\s+\w+|update\s+\w+\s+set\b|delete\s+from\s+\w+|create\s+(table|index|function|or replace)\b|alter\s+table\b)/i
  const starts = (path: string) => path.endsWith('.ts') && !home.test(path) && !isTest(path)
  return linesMatching(tree, starts, statement).filter(
    (line) => !/[`'"]\s*select\s/i.test(line) || /\bfrom\b|[`'"]\s*select\s*$|select \w+\(/i.test(line),
  )
}

/** Each file says at its top what it is for. */
export function openingDocstring(tree: Tree): Problems {
  return [...tree]
    .filter(
      ([path, text]) =>
        /^(packages\/[^/]+\/src|test|bench)\/.*\.ts$/.test(path) &&
        !path.endsWith('.test.ts') &&
        !text.startsWith('/**'),
    )
    .map(([path]) => `${path} does not begin with a docstring`)
}

/** Machines, people's folders and package registries have no place in the tree: what works only here is not finished. */
export function noPlaces(tree: Tree): Problems {
  const everything = (path: string) => !RULES.test(path)
  return [
    ...linesMatching(
      tree,
      everything,
      /(^|[\s'"`(=:])\/work\/|(^|[\s'"`(=:])\/root\/[^\s'"`]|\/home\/(?!app\b)[a-z]+\//,
    ),
    ...linesMatching(
      tree,
      everything,
      /\bregistry\.[a-z0-9-]+\.(org|com|io|dev|net)\b|\b(deb|security|ftp|snapshot)\.debian\.(org|net)\b|"resolved":\s*"https?:/,
    ),
  ]
}
