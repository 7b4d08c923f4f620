/** Types, lint, format and dead code, each as a test, so that one report tells everything. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { command } from '../packages/cli/src/bootstrap/command.ts'
import { clone } from '../packages/cli/src/bootstrap/places.ts'

test('the types agree', () => passes('tsc', '-p', 'tsconfig.json'))
test('the linter has nothing to say', () => passes('oxlint', '--type-aware', '--deny-warnings'))
test('every file is formatted', () => passes('oxfmt', '--check'))
test('nothing is unused and nothing undeclared', () => passes('knip'))

async function passes(tool: string, ...words: string[]): Promise<void> {
  const done = await command([join(clone, 'node_modules/.bin', tool), ...words], { cwd: clone })
  assert.equal(done.code, 0, `${tool} ${words.join(' ')}\n${done.stdout}${done.stderr}`)
}
