import assert from 'node:assert/strict'
import test from 'node:test'
import { isRefusal } from '@perennial/protocol'
import { nodeMajor } from './node-version.ts'
import { planBuild } from './detect.ts'
import { listingOf, plan, planned, refused } from './testing.ts'
import type { Plan } from './plan.ts'

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
  const nothing = refused({ 'README.md': 'hello', 'go.mod': '' })
  for (const name of ['perennial.json', 'Procfile', 'package.json', 'requirements.txt', 'app.py', 'index.html'])
    assert.ok(nothing.lookedFor.includes(name), name)
  assert.match(nothing.sentence, /Go \(go\.mod\)/)
  assert.ok(refused({ 'package.json': { name: 'x' } }).sentence.includes('neither how to start'))
  assert.match(refused({ Procfile: 'worker: x' }).sentence, /no web process/)
  assert.ok(isRefusal(plan({ 'package.json': '{"scripts":' })))
  assert.ok(isRefusal(plan({ 'package.json': '[]' })))
})

test('a plan says what was looked for and not found', () => {
  const { lookedFor } = planned({ 'package.json': { scripts: { start: 'node a.js' }, dependencies: { a: '1' } } })
  for (const name of ['perennial.json', 'Procfile', 'app.json', 'scripts.build in package.json'])
    assert.ok(lookedFor.includes(name), name)
  assert.ok(lookedFor.some((name) => name.includes('pnpm-lock.yaml')))
})

test('a repository with a Dockerfile alone gets an answer that says what would be understood', () => {
  const found = refused({ Dockerfile: 'FROM golang:1.22 AS build\nRUN go build\nFROM alpine:3.20\nCMD ["/app"]' })
  assert.match(found.sentence, /Only a Dockerfile.*alpine:3\.20.*its own manifests/s)
  assert.match(found.nextStep ?? '', /package\.json, requirements\.txt, Procfile/)
})

test('folders that hold a manifest are offered where the top has none', () => {
  const found = planBuild({ ...listingOf({ 'README.md': '' }), elsewhere: ['site', 'packages/web'] })
  assert.ok(isRefusal(found) && found.nextStep?.includes('site, packages/web'))
})

test('what could not be fetched is said by name', () => {
  const { notes } = planned({ 'index.html': '' })
  assert.deepEqual(notes, [])
  const found = planBuild({ ...listingOf({ 'index.html': '' }), lfs: ['big.mp4'], submodules: ['themes/x'] })
  assert.ok(!isRefusal(found))
  assert.match(found.notes.join(' '), /Git LFS keeps the contents of big\.mp4.*themes\/x is empty/)
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
