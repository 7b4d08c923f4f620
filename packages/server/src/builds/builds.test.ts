import assert from 'node:assert/strict'
import test from 'node:test'
import { readOutput } from '../output.ts'
import { MONEY, openBuildBench } from './testing.ts'

const bench = await openBuildBench()
test.after(() => bench[Symbol.asyncDispose]())

test('a static site becomes a release, and its build is paid by the purse', async () => {
  const app = await bench.app('octo/site', { 'index.html': '<h1>Hello</h1>', 'README.md': '# Site' })
  const done = await bench.deploy(app)
  assert.equal(done.status, 'starting', done.problem ?? '')
  assert.match(done.commit ?? '', /^[0-9a-f]{40}$/)
  assert.match(done.release ?? '', /^[0-9a-f]{64}$/)
  assert.equal(done.payer, 'purse')
  assert.deepEqual(
    done.steps.map(({ name, status }) => `${name} ${status}`),
    ['fetch done', 'build skipped', 'run waiting'],
  )
  assert.ok(done.cost < done.ceiling)
  assert.equal(
    done.steps.reduce((sum, { cost }) => sum + cost, 0n),
    done.cost,
  )
  const purse = await bench.accounts.balance(`app/${app.id}/purse`)
  assert.deepEqual([purse.balance, purse.held], [MONEY - done.cost, 0n])
  const release = await bench.builds.release(done.id)
  assert.equal(release?.plan.runImage, 'static')
  assert.equal(JSON.parse(release?.receipt ?? '{}').commit, done.commit)
  assert.match(await bench.log(app.id), /Fetched [0-9a-f]{7} first of octo\/site/)
})

test('a site is served with its types, its 404 page, and nothing of it is run', async () => {
  const app = await bench.app('octo/types', {
    'index.html': 'home',
    'a.mjs': '1',
    'f.woff2': 'x',
    '404.html': 'gone',
    'sub/index.html': 'sub',
    'cgi-bin/run': { run: '#!/bin/sh\necho; echo ran\n' },
  })
  const done = await bench.deploy(app)
  const release = await bench.builds.release(done.id)
  const { address } = await bench.client.start({
    id: 'site',
    image: 'static',
    release: done.release ?? '',
    writableBytes: 16 * 2 ** 20,
    argv: release?.plan.web ?? [],
    env: { ...release?.plan.env, PORT: '8080' },
    cwd: '/app',
    user: 'app',
    limits: { memoryBytes: 64 * 2 ** 20, pids: 64, cpuPercent: 100 },
    network: 'none',
  })
  const get = async (path: string) => {
    const answer = await fetch(`http://${address}:8080${path}`, { redirect: 'manual' })
    return [answer.status, answer.headers.get('content-type'), (await answer.text()).slice(0, 4)]
  }
  assert.deepEqual(await eventually(() => get('/')), [200, 'text/html', 'home'])
  assert.deepEqual(await get('/a.mjs'), [200, 'text/javascript', '1'])
  assert.deepEqual(await get('/f.woff2'), [200, 'font/woff2', 'x'])
  assert.deepEqual(await get('/sub/'), [200, 'text/html', 'sub'])
  assert.deepEqual(await get('/nope'), [404, 'text/html', 'gone'])
  assert.equal((await get('/cgi-bin/run'))[0], 401)
  await bench.client.remove({ id: 'site' })
})

test('an Express app is installed, built and pruned with nothing but the package door', async () => {
  const app = await bench.app('octo/express', {
    'package.json': JSON.stringify({
      description: 'Says hello',
      scripts: {
        build: "node -e \"require('is-number');require('fs').writeFileSync('built.txt', process.env.NODE_ENV)\"",
        start: 'node server.js',
      },
      dependencies: { express: '5.1.0' },
      devDependencies: { 'is-number': '7.0.0' },
    }),
    'server.js': `require('express')().get('/', (q, r) => r.send('hello')).listen(process.env.PORT)`,
  })
  const done = await bench.deploy(app)
  assert.equal(done.status, 'starting', `${done.problem}\n${await bench.log(app.id)}`)
  const release = await bench.builds.release(done.id)
  const { client } = bench
  const limits = { memoryBytes: 256 * 2 ** 20, pids: 64, cpuPercent: 100 }
  const spec = {
    image: 'node-24',
    release: done.release ?? '',
    writableBytes: 16 * 2 ** 20,
    env: { ...release?.plan.env, PORT: '8080' },
    cwd: '/app',
    user: 'app',
    limits,
    network: 'none',
  } as const
  const running = await client.start({ ...spec, id: 'express', argv: release?.plan.web ?? [] })
  const answer = await eventually(() => fetch(`http://${running.address}:8080/`).then((res) => res.text()))
  assert.equal(answer, 'hello')
  const looked = await client.start({
    ...spec,
    id: 'look',
    argv: ['sh', '-c', 'cat built.txt; echo; ls node_modules | grep -c is-number; ls -a /app | tr "\\n" " "'],
  })
  assert.ok(looked)
  await client.wait({ id: 'look', timeoutMs: 10_000 })
  const said = (await readOutput(client.logPath('look'))).map(({ bytes }) => bytes.toString())
  assert.deepEqual(said.slice(0, 2), ['production', '0'])
  assert.doesNotMatch(said[2] ?? '', /\.git |lost\+found|\.npm/)
  await client.remove({ id: 'express' })
  await client.remove({ id: 'look' })
  assert.equal((await bench.apps.find(app.id))?.description, 'Says hello')
})

async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

test('a build that was interrupted too often fails, and leaves no disk behind', async () => {
  const app = await bench.app('octo/unlucky', { 'index.html': 'x' }, 0n)
  const { database } = bench.services
  const id = await bench.request(app)
  await bench.ended(id)
  const scratch = `build-${id.replaceAll('-', '')}`
  await bench.client.scratch({ id: scratch, sizeBytes: 16 * 2 ** 20 })
  await database.query('update deployment set attempt = 20 where id = $1', [id])
  await bench.pay(`app/${app.id}/purse`, MONEY)
  await database.transaction((tx) => bench.services.events.emit(tx, 'contributed', { app: app.id, contribution: id }))
  await eventually(async () => {
    assert.match((await bench.builds.deployment(id))?.problem ?? '', /was interrupted 20 times/)
  })
  await assert.rejects(bench.client.pack({ scratch }), { code: 'missing' })
})

test('a build that waits looks for money every few minutes, also when nobody says that there is some', async () => {
  const app = await bench.app('octo/patient', { 'index.html': 'x' }, 0n)
  const { database } = bench.services
  const id = await bench.request(app)
  await bench.ended(id)
  await bench.pay(`app/${app.id}/purse`, MONEY)
  // Five minutes later.
  await eventually(async () => {
    const moved = await database.query(
      `update job set run_at = now() where kind = 'build' and key = $1 and run_at > now() + interval '4 minutes'
       returning id`,
      [id],
    )
    assert.equal(moved.length, 1)
  })
  await database.query('notify job')
  await eventually(async () => assert.equal((await bench.builds.deployment(id))?.status, 'starting'))
})

test('an app that nobody has paid for is built on the start allowance, and waits when that is empty', async () => {
  const poor = await bench.app('octo/poor', { 'index.html': 'poor' }, 0n)
  const waiting = await bench.deploy(poor)
  assert.deepEqual([waiting.status, waiting.payer], ['waiting', null])
  assert.match(waiting.problem ?? '', /free for it|Waits for a payment/)
  assert.match(waiting.problem ?? '', /Nothing was charged/)
  await bench.pay(`app/${poor.id}/purse`, MONEY)
  await bench.services.database.transaction((tx) =>
    bench.services.events.emit(tx, 'contributed', { app: poor.id, contribution: waiting.id }),
  )
  const paid = await eventually(async () => {
    const now = await bench.builds.deployment(waiting.id)
    assert.equal(now?.status, 'starting')
    return now
  })
  assert.equal(paid?.payer, 'purse')
  await bench.pay('allowance', MONEY)
  const next = await bench.deploy(await bench.app('octo/allowed', { 'index.html': 'x' }, 0n))
  assert.deepEqual([next.status, next.payer], ['starting', 'allowance'])
})

test('what is no app fails with what was looked for, and is charged for no more than the fetch', async () => {
  const app = await bench.app('octo/nothing', { 'README.md': 'nothing' })
  const done = await bench.deploy(app)
  assert.equal(done.status, 'failed')
  assert.match(
    done.problem ?? '',
    /Nothing at the top of the repository says how to build or serve it\. .*(Nothing was charged|It cost)/,
  )
  assert.deepEqual(
    done.steps.map(({ status }) => status),
    ['done', 'skipped', 'skipped'],
  )
  const events = await bench.services.database.query<{ type: string }>('select type from event where app = $1', [
    app.id,
  ])
  assert.deepEqual(
    events.map(({ type }) => type),
    ['deployment-requested', 'deployment-failed'],
  )
})

test('a build that fails says which command, and the next commit may do better', async () => {
  const app = await bench.app('octo/broken', {
    'package.json': '{"scripts":{"build":"echo oh no >&2; exit 3","start":"node x"}}',
  })
  const done = await bench.deploy(app)
  assert.match(done.problem ?? '', /^npm run build failed: it exited with code 3\./)
  assert.match(await bench.log(app.id), /oh no/)
  await bench.remote.commit(
    'octo/broken',
    { 'package.json': '{"scripts":{"build":"true","start":"node x"}}' },
    'mend it',
  )
  assert.equal((await bench.deploy(app)).status, 'starting')
})

test('an app has one build at a time, and its second deployment takes the first one’s place', async () => {
  const app = await bench.app('octo/twice', { 'index.html': '1' })
  const [one, same] = [await bench.request(app), await bench.request(app)]
  assert.equal(one, same)
  const { database } = bench.services
  assert.equal((await bench.ended(one)).status, 'starting')
  await database.transaction((tx) => bench.builds.running(tx, one, 'it answers'))
  const first = await bench.builds.deployment(one)
  assert.equal(first?.status, 'running')
  assert.equal((await bench.apps.find(app.id))?.release, first?.release)
  await bench.remote.commit('octo/twice', { 'index.html': '2' }, 'second')
  const two = await bench.deploy(app)
  await database.transaction((tx) => bench.builds.running(tx, two.id, 'it answers'))
  assert.deepEqual(
    [(await bench.builds.deployment(one))?.status, (await bench.builds.latest(app.id))?.status],
    ['replaced', 'running'],
  )
  assert.deepEqual(
    (await bench.builds.releases(app.id)).map(({ number }) => number),
    [2, 1],
  )
  const three = await bench.deploy(app)
  await database.transaction((tx) =>
    bench.builds.startFailed(tx, three.id, { sentence: 'It did not answer.', nextStep: null }),
  )
  const failed = await bench.builds.deployment(three.id)
  assert.deepEqual([failed?.status, failed?.problem?.slice(0, 18)], ['failed', 'It did not answer.'])
  assert.equal((await bench.builds.deployment(two.id))?.status, 'running', 'the app keeps the release it had')
})

test('the same commit built again gives the same release', async () => {
  const files = {
    'package.json':
      '{"scripts":{"build":"mkdir -p dist && date > dist/when && rm dist/when && echo 1 > dist/index.html"}}',
  }
  const app = await bench.app('octo/again', files)
  const [one, two] = [await bench.deploy(app), await bench.deploy(app)]
  assert.equal(one.status, 'starting', one.problem ?? '')
  assert.equal(one.release, two.release)
})

test('the ledger is sound after all that', async () => {
  assert.deepEqual(await bench.ledger.verify(), [])
  assert.deepEqual(await bench.client.list(), [])
})
