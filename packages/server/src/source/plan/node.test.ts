import assert from 'node:assert/strict'
import test from 'node:test'
import { planned, refused, titles, type Given } from './testing.ts'

const app = (more: object = {}) => ({ scripts: { start: 'node a.js', build: 'x' }, dependencies: { a: '1' }, ...more })
const tools = (files: Given) => planned(files).steps[0]?.argv.at(-1)

test('the package manager and its exact version follow from packageManager, else from the lockfile', () => {
  const chosen: [Given, string][] = [
    [
      { 'package.json': app({ packageManager: 'pnpm@9.1.2+sha512.ab' }), 'pnpm-lock.yaml': "lockfileVersion: '9.0'" },
      'pnpm@9.1.2',
    ],
    [{ 'package.json': app(), 'pnpm-lock.yaml': "lockfileVersion: '9.0'\n" }, 'pnpm@10.34.9'],
    [{ 'package.json': app(), 'pnpm-lock.yaml': "lockfileVersion: '6.0'\n" }, 'pnpm@8.15.9'],
    [{ 'package.json': app(), 'pnpm-lock.yaml': 'lockfileVersion: 5.4\n' }, 'pnpm@7.33.7'],
    [{ 'package.json': app(), 'yarn.lock': '# yarn lockfile v1\n' }, 'yarn@1.22.22'],
    [{ 'package.json': app(), 'yarn.lock': '__metadata:\n  version: 10\n' }, '@yarnpkg/cli-dist@4.18.1'],
    [{ 'package.json': app(), 'yarn.lock': '__metadata:\n  version: 8\n' }, '@yarnpkg/cli-dist@4.13.0'],
    [{ 'package.json': app(), 'yarn.lock': '__metadata:\n  version: 6\n' }, '@yarnpkg/cli-dist@3.8.7'],
    [
      { 'package.json': app(), 'yarn.lock': '__metadata:\n', '.yarnrc.yml': 'yarnPath: .yarn/releases/yarn-4.5.1.cjs' },
      '@yarnpkg/cli-dist@4.5.1',
    ],
    [{ 'package.json': app({ packageManager: 'yarn@4.2.0' }) }, '@yarnpkg/cli-dist@4.2.0'],
  ]
  for (const [files, wanted] of chosen) assert.equal(tools(files), wanted)
})

test('an odd packageManager is passed over and said; of two lockfiles one is named', () => {
  const odd = planned({ 'package.json': app({ packageManager: 'pnpm@latest; rm -rf /' }), 'package-lock.json': '{}' })
  assert.equal(odd.steps[0]?.title, 'npm ci')
  assert.match(odd.notes.join(), /names no exact version/)
  const two = planned({ 'package.json': app(), 'package-lock.json': '{}', 'yarn.lock': '# yarn lockfile v1' })
  assert.match(two.notes.join(), /package-lock\.json and yarn\.lock; npm was taken/)
})

test('pnpm and yarn install from the package door, and nothing of theirs stays in the release', () => {
  const found = planned({ 'package.json': app({ devDependencies: { b: '1' } }), 'yarn.lock': '# yarn lockfile v1' })
  assert.deepEqual(titles(found), [
    'npm install yarn@1.22.22',
    'yarn install --frozen-lockfile',
    'yarn run build',
    'remove what only the build needed',
  ])
  assert.match(found.steps[3]?.argv[2] ?? '', /rm -rf \.perennial /)
  assert.doesNotMatch(found.env['PATH'] ?? '', /\.perennial/)
})

test('an app that calls its package manager while it runs keeps it', () => {
  const found = planned({
    'package.json': app({ scripts: { start: 'pnpm --filter web start' } }),
    'pnpm-lock.yaml': "lockfileVersion: '9.0'",
  })
  assert.match(found.env['PATH'] ?? '', /\.perennial\/tools/)
  assert.equal(found.runImage, 'node-24')
  assert.match(found.steps.at(-1)?.argv[2] ?? '', /rm -rf \.perennial\/cache /)
})

test('what starts the app by a tool for developing keeps its tools', () => {
  const found = planned({
    'package.json': app({ scripts: { start: 'tsx server.ts' }, devDependencies: { tsx: '4' } }),
    'package-lock.json': '{}',
  })
  assert.deepEqual(titles(found), ['npm ci'])
  assert.match(found.notes.join(), /started with tsx/)
})

test('programs are called by themselves, not through npx or yarn', () => {
  const web = (start: string, dependencies = { serve: '1', next: '1' }) =>
    planned({ 'package.json': { scripts: { start }, dependencies } }).web.join(' ')
  assert.equal(web('npx serve dist'), 'serve dist')
  assert.equal(web('yarn next start'), 'next start')
  assert.equal(web('npx other'), 'npx other')
  assert.equal(web('serve -s build -l 3000'), 'sh -c exec serve -s build -l $PORT')
  assert.equal(web('next start -p 3000'), 'sh -c exec next start -p $PORT')
})

test('a framework whose start is for developing is served by what it builds', () => {
  const found = (name: string, more: object = {}, files: Given = {}) =>
    planned({ 'package.json': { dependencies: { [name]: '1' }, ...more }, 'package-lock.json': '{}', ...files })
  const dev = (start: string, build = 'x') => ({ scripts: { start, build } })
  assert.deepEqual(found('next', dev('next dev')).web, ['next', 'start'])
  assert.deepEqual(titles(found('next')), ['npm ci', 'next build', 'remove the caches of Next.js'])
  assert.deepEqual(found('nuxt', dev('nuxt dev')).web, ['node', '.output/server/index.mjs'])
  assert.deepEqual(found('nuxt', dev('nuxt dev', 'nuxt generate')).kind, 'static')
  assert.deepEqual(found('@remix-run/serve').web, ['remix-serve', './build/server/index.js'])
  assert.equal(found('next', {}, { 'next.config.mjs': 'export default { output: "export" }' }).kind, 'static')
  const kit = found('@sveltejs/kit', { devDependencies: { '@sveltejs/adapter-node': '5' } })
  assert.match(kit.web.join(' '), /ORIGIN.*exec node build\/index\.js/)
  const astro = found('astro', { ...dev('astro dev'), devDependencies: { '@astrojs/node': '9' } })
  assert.deepEqual(astro.web, ['node', './dist/server/entry.mjs'])
  for (const [name, start] of [
    ['astro', 'astro dev'],
    ['gatsby', 'gatsby develop'],
    ['@docusaurus/core', 'docusaurus start'],
    ['hexo', 'hexo server'],
    ['@11ty/eleventy', 'npx @11ty/eleventy --serve'],
    ['react-scripts', 'react-scripts start'],
    ['@angular/cli', 'ng serve'],
    ['vitepress', 'vitepress dev'],
  ] as const)
    assert.equal(found(name, dev(start)).kind, 'static', name)
  assert.equal(found('vite', dev('vite'), { 'index.html': '' }).kind, 'static')
  assert.equal(found('vite', dev('node server.js'), { 'index.html': '' }).kind, 'node')
  assert.equal(found('react-scripts', dev('serve -s build')).kind, 'node')
})

test('a framework set up for another host is refused before it costs anything, with what to use', () => {
  const kit = refused({ 'package.json': { devDependencies: { '@sveltejs/kit': '2', '@sveltejs/adapter-auto': '3' } } })
  assert.match(kit.sentence, /@sveltejs\/adapter-auto/)
  assert.match(kit.nextStep ?? '', /@sveltejs\/adapter-node/)
  assert.match(refused({ 'package.json': { dependencies: { astro: '5', '@astrojs/vercel': '8' } } }).sentence, /vercel/)
})

test('NestJS and others with a script for production use it', () => {
  const scripts = { start: 'nest start', 'start:prod': 'node dist/main', build: 'nest build' }
  assert.deepEqual(planned({ 'package.json': { scripts } }).web, ['node', 'dist/main'])
})

test('without scripts, a server of a usual name is started', () => {
  assert.deepEqual(planned({ 'package.json': { dependencies: { express: '5' } }, 'index.js': '' }).web, [
    'node',
    'index.js',
  ])
  assert.match(refused({ 'package.json': { dependencies: { lodash: '5' } }, 'index.js': '' }).sentence, /neither/)
})

test('a member of a workspace is installed from the top and runs in its folder', () => {
  const inner = { root: 'apps/web', files: { 'package.json': app({ dependencies: { lib: 'workspace:*' } }) } }
  const top = {
    'package.json': { private: true, packageManager: 'pnpm@9.1.2' },
    'pnpm-lock.yaml': "lockfileVersion: '9.0'",
    'pnpm-workspace.yaml': 'packages:\n  - "apps/*"\n  - packages/*\n',
  }
  const found = planned(top, inner)
  assert.deepEqual(titles(found), [
    'npm install pnpm@9.1.2',
    'pnpm install --frozen-lockfile',
    'pnpm run build in apps/web and in what it needs',
    'remove what only the build needed',
  ])
  assert.deepEqual([found.cwd, found.packPath], ['apps/web', null])
  assert.match(found.env['PATH'] ?? '', /^\/app\/apps\/web\/node_modules\/\.bin:\/app\/node_modules\/\.bin:/)
  assert.ok(found.cache)
  const site = {
    root: 'apps/web',
    files: { 'package.json': { scripts: { build: 'x' }, devDependencies: { vite: '7' } }, 'index.html': '' },
  }
  const built = planned({ 'package.json': { workspaces: ['apps/*'] }, 'package-lock.json': '{}' }, site)
  assert.deepEqual([built.packPath, built.steps.at(-1)?.cwd], ['apps/web/.perennial/site', 'apps/web'])
})

test('a folder that is no member stands alone: it is taken to the top, and built as if it were one', () => {
  const alone = { root: 'apps/web', files: { 'package.json': app(), 'package-lock.json': '{}' } }
  const found = planned({ 'package.json': { workspaces: ['apps/*'] }, 'package-lock.json': '{}' }, alone)
  assert.deepEqual(titles(found), ['take apps/web alone', 'npm ci', 'npm run build'])
  assert.deepEqual([found.cwd, found.packPath], ['', null])
  const plain = planned({}, { root: 'apps/web', files: { 'package.json': { scripts: { start: 'node a.js' } } } })
  assert.deepEqual([plain.steps, plain.packPath], [[], 'apps/web'])
})

test('the cache key follows whatever decides what is installed', () => {
  const files = { 'package.json': app(), 'package-lock.json': '{}' }
  const key = planned(files).cache?.key
  assert.match(key ?? '', /^[0-9a-f]{64}$/)
  assert.equal(planned({ ...files, 'package.json': app({ name: 'x' }) }).cache?.key, key)
  assert.notEqual(planned({ ...files, 'package.json': app({ engines: { node: '26' } }) }).cache?.key, key)
  assert.equal(planned({ 'package.json': app() }).cache, null)
})
