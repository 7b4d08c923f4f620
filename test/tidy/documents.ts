/** What the documents claim, held against the tree. */
import { dirname, join, normalize } from 'node:path/posix'
import type { Problems, Tree } from './tree.ts'

/** README's first `sh` block opens a funded app, the second passes the tests; CI runs the second as it stands. */
export function readmeCommands(tree: Tree): Problems {
  const blocks = [...(tree.get('README.md') ?? '').matchAll(/```sh\n([\s\S]*?)```/g)].map(
    (found) => found[1]?.trim() ?? '',
  )
  const problems: Problems = []
  if (!/^npm ci && npm start$/.test(blocks[0] ?? ''))
    problems.push('README.md: the first sh block is not `npm ci && npm start`')
  if (!/^npm ci && npm test$/.test(blocks[1] ?? ''))
    problems.push('README.md: the second sh block is not `npm ci && npm test`')
  else if (!(tree.get('.ci/run') ?? '').split('\n').includes(blocks[1] ?? ''))
    problems.push(`.ci/run does not run README's second block`)
  return problems
}

interface Locked {
  readonly dev?: boolean
  readonly link?: boolean
  readonly optional?: boolean
}

/** Packages that run in production, as the lockfile has them; our own and the Node binary are not counted. */
export function runtimePackages(tree: Tree): number {
  const lock = JSON.parse(tree.get('package-lock.json') ?? '{}') as { packages?: Record<string, Locked> }
  return Object.entries(lock.packages ?? {}).filter(
    ([path, about]) => path.includes('node_modules/') && !about.dev && !about.link && !/node-linux-/.test(path),
  ).length
}

export function packageCount(tree: Tree): Problems {
  const count = runtimePackages(tree)
  const claimed = /(\d+) runtime packages/.exec(tree.get('README.md') ?? '')?.[1]
  return claimed === String(count)
    ? []
    : [`README.md claims ${claimed ?? 'no number of'} runtime packages; there are ${count}`]
}

/** Every relative link leads somewhere. */
export function links(tree: Tree, exists: (path: string) => boolean): Problems {
  return documents(tree).flatMap(([path, text]) =>
    [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
      .map((found) => normalize(join(dirname(path), found[1] ?? '')))
      .filter((target) => !exists(target))
      .map((target) => `${path} links to ${target}, which is not there`),
  )
}

/** Every path that a document names in backticks exists. */
export function namedPaths(tree: Tree, exists: (path: string) => boolean): Problems {
  return documents(tree).flatMap(([path, text]) =>
    [...text.matchAll(/`((?:packages|apps|test|bench|docs|spec|\.ci)\/[\w./-]+)`/g)]
      .map((found) => found[1] ?? '')
      .filter((target) => !exists(target.replace(/\/$/, '')))
      .map((target) => `${path} names ${target}, which is not there`),
  )
}

/** A row of the threat model ends with the test that shows it: `path`, then its name in quotes. */
export function threatTests(tree: Tree): Problems {
  const model = tree.get('docs/threat-model.md') ?? ''
  return [...model.matchAll(/`([\w./-]+\.test\.ts)`(?:: "([^"]+)")?/g)].flatMap(([, path = '', name]) => {
    const text = tree.get(path)
    if (text === undefined) return [`docs/threat-model.md names ${path}, which is not there`]
    return name === undefined || text.includes(name) ? [] : [`docs/threat-model.md: ${path} has no test "${name}"`]
  })
}

function documents(tree: Tree): [string, string][] {
  return [...tree].filter(([path]) => path.endsWith('.md'))
}
