import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { isRefusal } from '@perennial/protocol'
import { nodeMajor } from './node-version.ts'
import { planBuild } from './plan.ts'
import type { Plan } from './plan/plan.ts'

const runs = 300 * Number(process.env['TEST_SCALE'] ?? 1)

function plan(files: Record<string, string | object>): ReturnType<typeof planBuild> {
  const texts = Object.entries(files).map(
    ([name, content]) => [name, typeof content === 'string' ? content : JSON.stringify(content)] as const,
  )
  return planBuild({ files: new Map(texts), paths: new Set(Object.keys(files)) })
}
function planned(files: Record<string, string | object>): Plan {
  const found = plan(files)
  assert.ok(!isRefusal(found), isRefusal(found) ? found.sentence : '')
  return found
}
const argvs = ({ steps }: Plan) => steps.map(({ argv }) => argv.join(' '))

test('a Node app with a lockfile is installed by npm ci, built, and pruned', () => {
  const found = planned({
    'package.json': {
      scripts: { build: 'vite build', start: 'node server.js' },
      dependencies: { a: '1' },
      devDependencies: { vite: '8' },
    },
    'package-lock.json': '{}',
  })
  assert.deepEqual(argvs(found), [
    'npm ci --include=dev --ignore-scripts=false',
    'npm run build',
    'npm prune --omit=dev --ignore-scripts',
  ])
  assert.deepEqual(
    [found.kind, found.buildImage, found.runImage, found.web, found.packPath],
    ['node', 'build-24', 'node-24', ['node', 'server.js'], null],
  )
  assert.equal(found.env['NODE_ENV'], 'production')
})

test('without a lockfile npm install does; without dependencies nothing is installed', () => {
  assert.deepEqual(argvs(planned({ 'package.json': { scripts: { start: 'node a.js' }, dependencies: { a: '1' } } })), [
    'npm install --include=dev --ignore-scripts=false',
  ])
  const bare = planned({ 'package.json': { scripts: { start: 'node a.js' } } })
  assert.deepEqual([bare.steps, bare.buildImage], [[], null])
})

test('the Procfile says what runs, also by the name of a script', () => {
  const scripts = { prestart: 'node migrate.js', start: 'npm run serve', serve: 'node server.js --port $PORT' }
  assert.deepEqual(planned({ Procfile: '# mine\nworker: x\nweb: node main.js -v\n' }).web, ['node', 'main.js', '-v'])
  assert.deepEqual(planned({ Procfile: 'web: npm run serve', 'package.json': { scripts } }).web, [
    'sh',
    '-c',
    'exec node server.js --port $PORT',
  ])
  assert.deepEqual(planned({ Procfile: 'web: npm start', 'package.json': { scripts } }).web, [
    'sh',
    '-c',
    '{ node migrate.js\n} && exec node server.js --port $PORT',
  ])
  assert.deepEqual(planned({ Procfile: 'web: A=b node x' }).web, ['env', 'A=b', 'node', 'x'])
  const own = planned({ Procfile: 'web: npm run migrate && node x', 'package.json': { scripts } })
  assert.deepEqual([own.web, own.runImage], [['sh', '-c', 'npm run migrate && node x'], 'build-24'])
})

test('package.json without scripts.start runs server.js, as npm does', () => {
  assert.deepEqual(planned({ 'package.json': {}, 'server.js': '' }).web, ['node', 'server.js'])
})

test('a site is served as it is, or as scripts.build makes it', () => {
  const plain = planned({ 'index.html': '<h1>' })
  assert.deepEqual([plain.kind, plain.runImage, plain.steps, plain.packPath], ['static', 'static', [], null])
  const built = planned({
    'package.json': { scripts: { build: 'eleventy' }, devDependencies: { eleventy: '3' } },
    'package-lock.json': '',
  })
  assert.deepEqual(
    built.steps.map(({ name }) => name),
    ['install', 'build', 'collect'],
  )
  assert.deepEqual([built.kind, built.runImage, built.packPath], ['static', 'static', '.perennial/site'])
  assert.equal(planned({ 'package.json': {}, 'index.html': '' }).kind, 'static')
})

test('what is no app is refused with what was looked for, by name', () => {
  const nothing = plan({ 'README.md': 'hello', Dockerfile: 'FROM x', 'go.mod': '' })
  assert.ok(isRefusal(nothing) && 'lookedFor' in nothing)
  assert.deepEqual(nothing.lookedFor, ['Procfile', 'package.json', 'index.html'])
  assert.match(nothing.sentence, /Dockerfile and go\.mod/)
  const silent = plan({ 'package.json': { name: 'x' } })
  assert.ok(isRefusal(silent) && silent.sentence.includes('neither how to start'))
  assert.ok(isRefusal(plan({ Procfile: 'worker: x', 'index.html': '' })))
  assert.ok(isRefusal(plan({ 'package.json': '{"scripts":' })))
  assert.ok(isRefusal(plan({ 'package.json': '[]' })))
})

test('app.json gives settings; one that is required and has no value is refused by name', () => {
  const env = { GREETING: 'hello', SIZE: { value: '20' }, MAYBE: { required: false }, NODE_ENV: 'development' }
  const found = planned({ 'index.html': '', 'app.json': { name: 'x', env } })
  assert.deepEqual(found.env, { GREETING: 'hello', SIZE: '20', NODE_ENV: 'development' })
  assert.equal(planned({ Procfile: 'web: node x', 'app.json': { env } }).env['NODE_ENV'], 'production')
  const missing = plan({ 'index.html': '', 'app.json': { env: { TOKEN: { description: 'x' } } } })
  assert.ok(isRefusal(missing) && missing.sentence.includes('TOKEN'))
  assert.ok(isRefusal(plan({ 'index.html': '', 'app.json': { env: { 'A=B': 'x' } } })))
})

test('engines.node chooses between 24 and 26', () => {
  const majors: Record<string, number> = {
    '': 24,
    '*': 24,
    '>=18': 24,
    '^24.1.0': 24,
    '24.x': 24,
    '24': 24,
    '^26': 26,
    '26.x': 26,
    '>=26.0.0': 26,
    '>25': 26,
    '20 || 26': 26,
    '>=18 <25': 24,
    '18 - 24': 24,
    '>= 22.0.0 <26.0.0': 24,
    'v26.10.0': 26,
    '~26.1': 26,
    '<26': 24,
    '>=24.5 <27': 24,
    '18.x': 24,
    lts: 24,
  }
  for (const [range, major] of Object.entries(majors)) assert.equal(nodeMajor(range).major, major, range)
  assert.match(nodeMajor('18.x').note, /asks for Node 18\.x/)
  assert.equal(nodeMajor('>=20').note, '')
})

test('any manifests give a plan or a refusal, and a plan holds only strings that are bounded', () => {
  const script = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.constantFrom('npm start', 'npm run build', 'npm run a', 'a && b'),
    fc.anything(),
  )
  const manifest = fc.record(
    {
      scripts: fc.dictionary(fc.constantFrom('start', 'build', 'prestart', 'a', '__proto__', 'constructor'), script),
      dependencies: fc.anything(),
      engines: fc.anything(),
    },
    { requiredKeys: [] },
  )
  const text = fc.oneof(
    manifest.map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string(),
  )
  const files = fc.dictionary(
    fc.constantFrom('package.json', 'app.json', 'Procfile', 'index.html', 'server.js', 'package-lock.json'),
    text,
  )
  fc.assert(
    fc.property(files, (given) => {
      const found = plan(given)
      if (isRefusal(found)) return assert.ok(found.sentence.length > 0)
      for (const word of [...found.web, ...Object.values(found.env), ...found.steps.flatMap(({ argv }) => argv)]) {
        assert.equal(typeof word, 'string')
        assert.ok(word.length < 32_768)
      }
      assert.ok(found.web.length > 0)
    }),
    { numRuns: runs },
  )
})
