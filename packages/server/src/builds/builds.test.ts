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
  const { client } = bench.sandbox
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
