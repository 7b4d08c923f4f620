import assert from 'node:assert/strict'
import test from 'node:test'
import { plan, planned, refused } from './testing.ts'
import { parseSchedule } from './schedule.ts'
import { parseSize } from './size.ts'
import { isRefusal } from '@perennial/protocol'

const node = { 'package.json': { scripts: { start: 'node a.js', migrate: 'node m.js' } } }

test('every process of a Procfile is there; release runs once, and no number of it is kept', () => {
  const found = planned({
    ...node,
    Procfile: 'web: node web.js\nworker: node worker.js\nrelease: npm run migrate\nclock: node clock.js | cat',
  })
  assert.deepEqual(found.processes, {
    web: ['node', 'web.js'],
    worker: ['node', 'worker.js'],
    release: ['node', 'm.js'],
    clock: ['sh', '-c', 'node clock.js | cat'],
  })
  assert.deepEqual(found.formation, { web: 1, worker: 1, clock: 1 })
})

test('a Procfile without a web process leaves the usual start in its place', () => {
  const found = planned({ ...node, Procfile: 'worker: node worker.js' })
  assert.deepEqual(
    [found.web, Object.keys(found.processes)],
    [
      ['node', 'a.js'],
      ['web', 'worker'],
    ],
  )
})

test('app.json: settings, required ones, generated ones; one that has a value is none of the last two', () => {
  const env = {
    GREETING: 'hello',
    SIZE: { value: 20 },
    MAYBE: { required: false },
    TOKEN: { description: 'x' },
    KEY: { generator: 'secret' },
    NODE_ENV: 'development',
  }
  const found = planned({ ...node, 'app.json': { name: 'x', env } })
  assert.deepEqual(found.settings, { GREETING: 'hello', SIZE: '20', NODE_ENV: 'development' })
  assert.equal(found.env['NODE_ENV'], 'production')
  assert.deepEqual([found.needs, found.generates], [['TOKEN'], ['KEY']])
  assert.equal(planned({ 'index.html': '', 'app.json': { env } }).env['NODE_ENV'], 'development')
  const given = planned({ ...node, 'app.json': { env }, 'perennial.json': { env: { TOKEN: 'x', NODE_ENV: 'test' } } })
  assert.deepEqual([given.needs, given.env['NODE_ENV']], [[], 'test'])
  assert.match(refused({ ...node, 'app.json': { env: { 'A=B': 'x' } } }).sentence, /app\.json cannot be read/)
})

test('app.json: formation, postdeploy, add-ons, cron and health as Heroku and Dokku write them', () => {
  const found = planned({
    ...node,
    Procfile: 'web: node a.js\nworker: node w.js\nidle: node i.js',
    'app.json': {
      formation: { web: { quantity: 9, size: 'Standard-1X' }, idle: { quantity: 0 }, unknown: { quantity: 1 } },
      scripts: { postdeploy: 'npm run migrate' },
      addons: ['heroku-postgresql:mini', { plan: 'heroku-redis:mini' }],
      cron: [
        { command: 'node tidy.js', schedule: '@daily' },
        { command: 'x', schedule: 'sometimes' },
      ],
      healthchecks: { web: [{ type: 'startup', path: '/ready', attempts: 2, timeout: 3, wait: 2, initialDelay: 1 }] },
      buildpacks: 'not understood and not looked at',
    },
  })
  assert.deepEqual(found.formation, { web: 4, worker: 1, idle: 0 })
  assert.deepEqual(found.postdeploy, ['node', 'm.js'])
  assert.equal(found.database, 'postgres')
  assert.deepEqual(found.cron, [{ name: 'cron-1', schedule: '0 0 * * *', argv: ['node', 'tidy.js'] }])
  assert.deepEqual(found.health, { path: '/ready', timeoutMs: 11_000 })
  assert.match(
    found.notes.join('\n'),
    /has no heroku-redis[^]*web gets 4 instances, not 9[^]*"sometimes" is no schedule/,
  )
})

test('app.json that is half understood is followed half, and says so', () => {
  const found = planned({ ...node, 'app.json': { cron: 'daily', formation: { web: { quantity: 'many' } } } })
  assert.deepEqual(found.notes.length, 2)
  assert.deepEqual(found.formation, { web: 1 })
})

test('perennial.json has the last word', () => {
  const found = planned({
    'package.json': { scripts: { start: 'node a.js', build: 'x' }, engines: { node: '24' } },
    Procfile: 'web: node proc.js\nworker: node w.js',
    'app.json': { env: { A: '1', B: '1' }, healthchecks: { web: [{ path: '/a' }] } },
    'perennial.json': {
      node: '26',
      build: 'npm run compile && ls',
      start: 'node mine.js',
      processes: { worker: 'node mine-too.js' },
      volumes: [
        { path: '/data', size: '1 GB' },
        { path: '/app/uploads', size: '512 MiB' },
      ],
      database: 'postgres',
      cron: [{ schedule: '0 3 * * mon', command: 'node c.js' }],
      health: { path: '/mine', seconds: 10 },
      env: { B: '2' },
    },
  })
  assert.deepEqual([found.buildImage, found.runImage], ['build-26', 'node-26'])
  assert.deepEqual(found.web, ['node', 'mine.js'])
  assert.deepEqual(found.processes['worker'], ['node', 'mine-too.js'])
  assert.deepEqual(found.steps.at(-1)?.argv, ['sh', '-c', 'npm run compile && ls'])
  assert.deepEqual(found.volumes, [
    { path: '/data', sizeBytes: 1_000_000_000 },
    { path: '/app/uploads', sizeBytes: 536_870_912 },
  ])
  assert.deepEqual(found.cron, [{ name: 'cron-1', schedule: '0 3 * * 1', argv: ['node', 'c.js'] }])
  assert.deepEqual(found.health, { path: '/mine', timeoutMs: 10_000 })
  assert.deepEqual([found.settings, found.database], [{ A: '1', B: '2' }, 'postgres'])
})

test('perennial.json alone makes a site of any folder, or an app of any command', () => {
  const site = planned({ 'perennial.json': { static: 'public/en' } })
  assert.deepEqual(
    [site.kind, site.packPath, site.steps.map(({ name }) => name)],
    ['static', '.perennial/site', ['collect']],
  )
  assert.match(site.steps[0]?.argv[2] ?? '', /'public\/en'/)
  assert.deepEqual(planned({ 'perennial.json': { start: 'node x.mjs' } }).web, ['node', 'x.mjs'])
})

test('what perennial.json gets wrong is named', () => {
  const wrong: [object, RegExp][] = [
    [{ starts: 'x' }, /unknown key starts/],
    [{ volumes: [{ path: '/etc', size: '1 GB' }] }, /volumes\.0\.path must be \/data/],
    [{ volumes: [{ path: '/app/../etc', size: '1 GB' }] }, /volumes\.0\.path/],
    [{ volumes: [{ path: '/data', size: 'big' }] }, /volumes\.0\.size must be a size/],
    [
      {
        volumes: [
          { path: '/data', size: '1 GB' },
          { path: '/data/a', size: '1 GB' },
        ],
      },
      /inside another/,
    ],
    [{ cron: [{ schedule: '61 * * * *', command: 'x' }] }, /cron\.0\.schedule must be five fields/],
    [{ database: 'mysql' }, /database/],
    [{ root: '../x' }, /root must be a folder/],
    [{ static: 'a b' }, /static/],
    [{ health: { path: 'x' } }, /health\.path/],
    [{ env: { 'A B': 'x' } }, /env/],
  ]
  for (const [manifest, said] of wrong)
    assert.match(refused({ ...node, 'perennial.json': manifest }).sentence, said, JSON.stringify(manifest))
  assert.match(refused({ ...node, 'perennial.json': '{' }).sentence, /perennial\.json is not JSON/)
  assert.match(
    refused({ ...node, 'perennial.json': `{"env":{"A":"${'x'.repeat(300_000)}"}}` }).sentence,
    /longer than 256 KiB/,
  )
})

test('a folder that perennial.json names is planned, by its own manifests', () => {
  const inner = { root: 'web', files: { 'index.html': '' } }
  assert.equal(planned({ 'perennial.json': { root: 'web' } }, inner).packPath, 'web')
  assert.match(refused({ 'perennial.json': { root: 'web' }, 'index.html': '' }).sentence, /could not be read/)
})

test('manifests that imitate refusals are manifests', () => {
  const found = plan({ 'package.json': { refusal: 'x', sentence: 'y', scripts: { start: 'node a.js' } } })
  assert.ok(!isRefusal(found))
})

test('schedules are five fields of numbers, or a usual name', () => {
  const good: Record<string, string> = {
    '*/15 * * * *': '*/15 * * * *',
    '0 8-18/2 1,15 JAN-mar mon-fri': '0 8-18/2 1,15 1-3 1-5',
    ' 05  03 * * 7 ': '5 3 * * 7',
    '@hourly': '0 * * * *',
  }
  for (const [text, read] of Object.entries(good)) assert.equal(parseSchedule(text), read, text)
  for (const text of [
    '',
    '* * * *',
    '60 * * * *',
    '* * * * * *',
    '5-1 * * * *',
    '*/0 * * * *',
    '5/15 * * * *',
    '@reboot',
  ])
    assert.equal(parseSchedule(text), null, text)
})

test('sizes are read as people write them', () => {
  const good: Record<string, number> = {
    '1 GB': 1e9,
    '512MB': 512e6,
    '1.5 GiB': 1_610_612_736,
    '250M': 250e6,
    '10 kB': 10_000,
  }
  for (const [text, sizeBytes] of Object.entries(good)) assert.equal(parseSize(text), sizeBytes, text)
  for (const text of ['', '0', '-1 GB', '1 XB', '1e9', 'GB', '1 iB', '999999 TB'])
    assert.equal(parseSize(text), null, text)
})
