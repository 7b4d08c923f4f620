/** Which test files there are, and which of them must not run beside others. */
import { globSync } from 'node:fs'
import { clone } from '../packages/cli/src/bootstrap/places.ts'

const ALL = ['packages/*/src/**/*.test.ts', 'apps/**/*.test.{js,ts}', 'test/**/*.test.ts', 'bench/**/*.test.ts']

/**
 * Sandboxes, browsers and whole nodes measure time and memory and use fixed addresses: beside each other on two
 * cores they would fail for reasons that are nobody's fault.
 */
const ALONE =
  /^packages\/sandbox\/|^packages\/server\/src\/(gateway|hosting|builds)\/|^packages\/cli\/src\/bootstrap\/|^test\/.+\/|^bench\//

export interface TestFiles {
  readonly together: string[]
  readonly alone: string[]
}

/** Those whose path contains one of `words`; all of them without words. */
export function testFiles(words: readonly string[]): TestFiles {
  const chosen = globSync(ALL, { cwd: clone, exclude: ['**/node_modules/**'] })
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .toSorted()
  return { together: chosen.filter((path) => !ALONE.test(path)), alone: chosen.filter((path) => ALONE.test(path)) }
}
