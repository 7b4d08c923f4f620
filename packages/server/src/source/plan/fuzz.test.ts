import assert from 'node:assert/strict'
import test from 'node:test'
import { isRefusal } from '@perennial/protocol'
import { resolveCommand } from '../command.ts'
import { fuzz } from '../testing.ts'
import { parseAppJson } from './app-json.ts'
import { planBuild } from './detect.ts'
import { dockerBase } from './docker.ts'
import { LONGEST_MANIFEST } from './json.ts'
import { nodeMajor } from './node-version.ts'
import { parsePackage } from './package-json.ts'
import { parseManifest } from './perennial-json.ts'
import { parseProcfile } from './procfile.ts'
import { importedNames, projectNames, requirementNames } from './python-names.ts'
import { pythonStart } from './python-start.ts'
import { parseSchedule } from './schedule.ts'
import { parseSize } from './size.ts'
import { listingOf } from './testing.ts'
import { openLook } from './look.ts'
import { chooseManager } from './package-manager.ts'
import { isMember, parsePnpmWorkspace } from './workspaces.ts'

const PACKAGE = JSON.stringify({
  name: 'x',
  engines: { node: '>=20 <27' },
  packageManager: 'pnpm@9.1.2+sha512.ab',
  workspaces: ['packages/*', '!packages/old'],
  scripts: { prestart: 'a', start: 'npm run serve -- -p 3000', serve: 'next start', build: 'next build' },
  dependencies: { next: '15', express: '5' },
  devDependencies: { tsx: '4' },
})
const APP = JSON.stringify({
  env: { A: 'b', B: { value: 1 }, C: { generator: 'secret' }, D: { required: false } },
  formation: { web: { quantity: 2 } },
  cron: [{ command: 'node a.js', schedule: '*/5 * * * *' }],
  scripts: { postdeploy: 'node x' },
  addons: ['heroku-postgresql:mini', { plan: 'redis' }],
  healthchecks: { web: [{ type: 'startup', path: '/x', attempts: 3 }] },
})
const MANIFEST = JSON.stringify({
  root: 'a/b',
  node: '26',
  build: 'x',
  start: 'node a.js',
  static: 'dist',
  processes: { worker: 'node w.js' },
  volumes: [{ path: '/data', size: '1 GB' }],
  database: 'postgres',
  cron: [{ schedule: '0 3 * * mon', command: 'x' }],
  health: { path: '/h', seconds: 10 },
  env: { A: 'b' },
})
const PROCFILE =
  'web: node server.js --port $PORT\nworker: A=b npm run work && x\n# comment\nrelease: python manage.py migrate\n'
const LISTS = 'packages:\n  - "apps/*"\n  - \'!apps/old\' # no\ncatalog:\n  a: 1\n'
const PYTHON = `import os\nfrom flask import Flask\napp: Flask = Flask(__name__)\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'a.settings')\n`
const PROJECT =
  '[project]\nname = "x"\ndependencies = ["fastapi>=0.1", \'uvicorn[standard]\']\n[tool.poetry.dependencies]\npython = "^3.11"\n'

/** Whatever a plan holds ends up in arguments, pages and the database: strings, bounded. */
function bounded(value: unknown, depth = 0): void {
  assert.ok(depth < 6)
  if (typeof value === 'string') return assert.ok(value.length <= 40_000)
  if (typeof value === 'number') return assert.ok(Number.isSafeInteger(value))
  if (Array.isArray(value)) assert.ok(value.length <= 2000)
  for (const part of Object.values((value ?? {}) as object)) bounded(part, depth + 1)
}
function sensible(found: { readonly sentence?: string } | object): void {
  if (isRefusal(found)) assert.ok(found.sentence.length > 0 && found.sentence.length < 1000)
  else bounded(found)
}

test('any package.json gives a package or a refusal', () => {
  fuzz(
    { corpus: [PACKAGE, '{}', '{"workspaces":{"packages":["a"]}}'], words: ['"start"', '"scripts"', 'npm start'] },
    (text) => sensible(parsePackage(text)),
  )
})

test('any app.json gives settings or a refusal', () => {
  fuzz({ corpus: [APP, '{}', '{"env":{}}'], words: ['"env"', '"quantity"', '"value"'] }, (text) =>
    sensible(parseAppJson(text)),
  )
})

test('any perennial.json gives a manifest or a refusal', () => {
  fuzz({ corpus: [MANIFEST, '{}'], words: ['"root"', '"/data"', '"../x"', '"1 GB"'] }, (text) =>
    sensible(parseManifest(text)),
  )
})

test('any Procfile gives processes', () => {
  fuzz({ corpus: [PROCFILE, 'web: x', ''], words: ['web:', 'worker: '] }, (text) => {
    const found = parseProcfile(text)
    assert.ok(found.size <= 200)
    for (const [name, line] of found) assert.ok(/^[\w-]{1,63}$/.test(name) && line.length <= 4001)
  })
})

test('any command gives arguments', () => {
  const scripts = Object.assign(Object.create(null), { a: 'b && c', start: 'npm run a', prea: 'x' }) as Record<
    string,
    string
  >
  const known = { scripts, dependencies: new Set(['serve']) }
  const corpus = [
    'npm run a',
    'npm start -- --port 1',
    'yarn a --b c',
    'npx serve dist',
    'A=b node x.js $PORT',
    'a && b; c | d',
  ]
  fuzz({ corpus, words: ['npm run ', 'yarn ', 'pnpm ', ' -- ', 'a', 'npx '] }, (text) => {
    const { argv } = resolveCommand(text, known)
    assert.ok(argv.length > 0 && argv.every((word) => typeof word === 'string' && word.length < 2 * text.length + 1000))
  })
})

test('any list of members is read, and any folder is one or not', () => {
  fuzz(
    { corpus: [LISTS, 'packages: ["a/*", b]', 'packages:\n- a/**/b*c*d'], words: ['packages:', '**', '/*', '- '] },
    (text) => {
      const globs = parsePnpmWorkspace(text)
      assert.ok(globs.length <= 200)
      for (const folder of ['apps/web', 'apps/old', 'a']) assert.equal(typeof isMember(folder, globs), 'boolean')
    },
  )
})

test('any beginning of a lockfile names a manager and an exact version', () => {
  const corpus = [
    "lockfileVersion: '9.0'\n\nsettings:",
    '# yarn lockfile v1\n',
    '__metadata:\n  version: 8\n  cacheKey: 10c0',
    'pnpm@9.1.2+sha512.ab',
    'yarnPath: .yarn/releases/yarn-4.5.1.cjs',
  ]
  fuzz({ corpus, words: ['lockfileVersion: ', '__metadata:', '  version: ', 'yarn@', '.cjs'] }, (text) => {
    const given = { 'pnpm-lock.yaml': text, 'yarn.lock': text, '.yarnrc.yml': text }
    for (const name of ['pnpm-lock.yaml', 'yarn.lock'] as const) {
      const look = openLook(listingOf({ [name]: given[name], '.yarnrc.yml': text }))
      const { package: wanted } = chooseManager(look, { packageManager: text.slice(0, 300) })
      assert.match(
        wanted ?? 'npm@1',
        /^(?:npm|pnpm|yarn|@yarnpkg\/cli-dist)@\d{1,4}(?:\.\d{1,4}\.\d{1,4}(?:-[A-Za-z0-9.]{1,40})?)?$/,
      )
    }
  })
})

test('any Python manifest or program gives names, and a start or none', () => {
  fuzz(
    {
      corpus: [PYTHON, PROJECT, 'Flask==3.0\n-r more.txt\nuvicorn[standard]>=0.1 ; python_version > "3"'],
      words: ['import ', 'Flask(', ' = ', '"'],
    },
    (text) => {
      const names = new Set([...requirementNames(text), ...projectNames(text), ...importedNames(text)])
      for (const name of names) assert.ok(name.length <= 100)
      const start = pythonStart(openLook(listingOf({ 'app.py': text, 'manage.py': text })), names)
      assert.ok(start === null || start.line.length < 500)
    },
  )
})

test('any Dockerfile names an image or none', () => {
  fuzz(
    {
      corpus: ['FROM --platform=$X node:20 AS build\nRUN x\nFROM build\nFROM scratch', 'from a'],
      words: ['FROM ', ' AS ', '\n'],
    },
    (text) => {
      assert.ok((dockerBase(text)?.length ?? 0) <= 200)
    },
  )
})

test('any range, schedule and size is read or refused', () => {
  const corpus = ['>=20 <25', '18 - 24', '20 || 26.x', '*/5 0-23/2 1,15 jan-mar mon', '@daily', '1.5 GiB', '512MB']
  fuzz({ corpus, words: ['||', ' - ', '>=', '*', 'GB'] }, (text) => {
    assert.ok([24, 26].includes(nodeMajor(text).major) && nodeMajor(text).note.length < 200)
    const schedule = parseSchedule(text)
    if (schedule !== null) assert.equal(parseSchedule(schedule), schedule)
    const size = parseSize(text)
    assert.ok(size === null || (Number.isSafeInteger(size) && size > 0))
  })
})

test('any manifests together give a plan or a refusal, and a plan holds only what is bounded', () => {
  const files = ['package.json', 'app.json', 'perennial.json', 'Procfile', 'app.py', 'pyproject.toml', 'Dockerfile']
  let at = 0
  fuzz(
    {
      corpus: [PACKAGE, APP, MANIFEST, PROCFILE, PYTHON, PROJECT, '{}', 'FROM x'],
      words: ['"start"', 'web: ', 'next'],
    },
    (text) => {
      const given = {
        [files[at++ % files.length] ?? '']: text,
        [files[(at * 5) % files.length] ?? '']: [PACKAGE, PROCFILE][at % 2] ?? '',
      }
      const root =
        at % 3 === 0 ? { root: 'apps/web', top: listingOf({ 'package.json': PACKAGE, 'pnpm-lock.yaml': '' }) } : {}
      const found = planBuild({ ...listingOf(given), ...root })
      sensible(found)
      if (!isRefusal(found)) assert.ok(found.web.length > 0 && JSON.stringify(found).length < 10 * LONGEST_MANIFEST)
    },
  )
})
