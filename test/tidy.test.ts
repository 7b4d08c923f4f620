/**
 * The tree's own rules. Each is also run on a planted violation: a rule that sees nothing there is blind, and
 * its silence about the tree would mean nothing.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { clone } from '../packages/cli/src/bootstrap/places.ts'
import { links, namedPaths, packageCount, readmeCommands, threatTests } from './tidy/documents.ts'
import { importRules } from './tidy/imports.ts'
import {
  everyTestRuns,
  noEmptyCatch,
  noEnums,
  noPlaces,
  nothingPostponed,
  openingDocstring,
  shortFiles,
  sqlInItsPlace,
} from './tidy/text.ts'
import { planted, readTree, type Problems, type Tree } from './tidy/tree.ts'

const tree = readTree()
const inTree = (path: string) => existsSync(join(clone, path))
const nowhere = () => false

/** `violations`: each is a tree of its own, in which the rule must find something. */
function rule(name: string, check: (tree: Tree) => Problems, violations: Record<string, string>[]): void {
  test(name, () => {
    for (const files of violations)
      assert.notDeepEqual(check(planted(files)), [], `the rule is blind to ${JSON.stringify(files)}`)
    const problems = check(tree)
    assert.equal(problems.length, 0, `\n  ${problems.join('\n  ')}`)
  })
}

rule('packages and folders import only what they may', importRules, [
  { 'packages/protocol/src/a.ts': `import { post } from '@perennial/ledger'` },
  { 'packages/cli/src/a.ts': `import { openNode } from '../../server/src/node.ts'` },
  { 'packages/cli/src/a.ts': `const { openNode } = await import('@perennial/server')` },
  { 'packages/server/src/builds/a.ts': `import { run } from '@perennial/sandbox/daemon'` },
  { 'packages/server/src/builds/a.ts': `import { wake } from '../hosting/index.ts'` },
  { 'packages/server/src/rpc/a.ts': `import {\n  cents,\n} from '../funding/split.ts'` },
  { 'packages/server/src/jobs.ts': `export { start } from './hosting/index.ts'` },
  { 'packages/server/src/apps/a.ts': `import { serverDatabase } from '../testing.ts'` },
  { 'packages/testnet/src/postgres.ts': `import { newId } from '@perennial/protocol'` },
  { 'apps/hello/server.js': `import '../../packages/server/src/main.ts'` },
])
rule('no file is longer than a sitting', shortFiles, [
  { 'packages/a/src/long.ts': 'x\n'.repeat(401) },
  { 'packages/a/sql/long.sql': 'x\n'.repeat(401) },
])
rule('TypeScript stays erasable: no enums', noEnums, [
  { 'a.ts': 'export const enum Colour { red }' },
  { 'a.ts': 'enum A {}' },
])
rule('nothing is left for later in the code', nothingPostponed, [{ 'a.ts': `// ${'TODO'}: later` }])
rule('no error is swallowed', noEmptyCatch, [{ 'a.ts': 'try { a() } catch {}' }, { 'a.ts': 'a().catch(() => {})' }])
rule('every test runs', everyTestRuns, [
  { 'a.test.ts': `test.${'only'}('x', () => {})` },
  { 'a.test.ts': `test('x', { ${'skip'}: true }, () => {})` },
])
rule('SQL stands where SQL is looked for', sqlInItsPlace, [
  { 'packages/server/src/apps/apps.ts': 'await tx.query(`select id from app`)' },
  { 'packages/server/src/apps/apps.ts': `await tx.query('update app set state = $1')` },
  {
    'packages/server/src/apps/apps.ts': 'await tx.query(`\n   insert into app (id) values ($1)`)'.replace('\n   ', ''),
  },
])
rule('every file opens by saying what it is for', openingDocstring, [{ 'packages/a/src/a.ts': 'export const a = 1' }])
rule('no machine, folder of a person or registry is named', noPlaces, [
  { 'a.md': `see ${'/work'}/main` },
  { 'a.ts': `'/home/${'alice'}/x'` },
  { 'a.ts': `https://${'registry'}.example-host.org/` },
  { 'package-lock.json': `"${'resolved'}": "https://x/y.tgz"` },
])
rule('README says the commands that CI runs', readmeCommands, [{ 'README.md': '```sh\nmake\n```' }])
rule('README counts the runtime packages truly', packageCount, [
  { 'README.md': '7 runtime packages', 'package-lock.json': '{"packages":{"node_modules/a":{}}}' },
])
rule('every link in the documents leads somewhere', (files) => links(files, files === tree ? inTree : nowhere), [
  { 'docs/a.md': '[b](b.md)' },
])
rule('every path that a document names exists', (files) => namedPaths(files, files === tree ? inTree : nowhere), [
  { 'docs/a.md': 'see `packages/a/src/b.ts`' },
])
rule('every test that the threat model names exists', threatTests, [
  { 'docs/threat-model.md': '`a.test.ts`' },
  { 'docs/threat-model.md': '`a.test.ts`: "it holds"', 'a.test.ts': `test('it does not hold')` },
])
