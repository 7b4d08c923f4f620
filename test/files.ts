/** Which test files there are, in which order they start, and which of them must not run beside others. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clone } from '../packages/cli/src/bootstrap/places.ts'

const ALL = ['packages/*/src/**/*.test.ts', 'apps/**/*.test.{js,ts}', 'test/**/*.test.ts', 'bench/**/*.test.ts']

/** Say how long something takes, or how little of a core: beside others they would fail for reasons that are nobody's fault. */
const MEASURING = /^test\/bootstrap\/up\.|^bench\//
/** What a test brings that says how long others had to wait for an attack. */
const NEIGHBOUR = /from '\.\/lab\/(?:neighbour|visits)\.ts'/
/** Whole nodes, browsers and attacks: these wait most of their time, for money to run out, for the next second. */
const WAITING = /^test\/.+\//

export interface TestFiles {
  readonly together: string[]
  readonly alone: string[]
}

/** Those whose path contains one of `words`; all of them without words. */
export function testFiles(words: readonly string[]): TestFiles {
  const chosen = globSync(ALL, { cwd: clone, exclude: ['**/node_modules/**'] })
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .toSorted()
  const alone = chosen.filter(mustBeAlone)
  const rest = chosen.filter((path) => !alone.includes(path))
  return {
    together: spread(
      rest.filter((path) => WAITING.test(path)),
      rest.filter((path) => !WAITING.test(path)),
    ),
    alone,
  }
}

function mustBeAlone(path: string): boolean {
  return MEASURING.test(path) || NEIGHBOUR.test(readFileSync(join(clone, path), 'utf8'))
}

/** `few` evenly among `many`, so that at any time some compute while others wait. */
function spread(few: readonly string[], many: readonly string[]): string[] {
  const place = (index: number, of: readonly string[]) => index / of.length
  return [
    ...few.map((path, index) => ({ path, at: place(index, few) })),
    ...many.map((path, index) => ({ path, at: place(index, many) })),
  ]
    .toSorted((a, b) => a.at - b.at)
    .map(({ path }) => path)
}
