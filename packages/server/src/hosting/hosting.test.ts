import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { helloFiles, openHostingBench, type HostingBench } from './testing.ts'

let host: HostingBench
before(async () => {
  host = await openHostingBench({ PERENNIAL_IDLE_SECONDS: '2', PERENNIAL_APP_MEMORY_MIB: '128' })
})
after(() => host[Symbol.asyncDispose]())

test('an app falls asleep when nobody asks, and wakes for the next request as it was', async () => {
  const app = await host.run('octo/sleeper', await helloFiles())
  const first = await host.visit(app)
  assert.match(first.text, /^hello 1 /)
  await host.until(app, 'asleep')
  const again = await host.visit(app)
  assert.deepEqual([again.status, again.text], [200, first.text.replace('1', '2')])
  await host.until(app, 'awake')
})

test(
  'visitors who come just as it falls asleep are answered by the same app, each once',
  { timeout: 300_000 },
  async () => {
    const app = await host.run('octo/drowsy', await helloFiles())
    const first = await host.visit(app)
    const who = first.text.split(' ').at(-1)
    const numbers = [1]
    let asleep = 0
    for (let round = 0; round < 6 * Number(process.env['TEST_SCALE'] ?? 1); round++) {
      // It is looked at each second, and falls asleep between two and three seconds after its last visitor.
      await sleep(1900 + Math.random() * 1300)
      if (await host.isFrozen(app)) asleep++
      const answers = await Promise.all(
        Array.from({ length: 8 }, async () => {
          await sleep(Math.random() * 60)
          return host.visit(app, '/', { method: 'POST', body: 'x'.repeat(20_000) })
        }),
      )
      for (const { status, text } of answers) {
        assert.equal(status, 200, text)
        assert.equal(text.split(' ').at(-1), who)
        numbers.push(Number(text.split(' ')[1]))
      }
    }
    assert.deepEqual(numbers.toSorted((a, b) => a - b), Array.from(numbers, (_, index) => index + 1)) // prettier-ignore
    const counted = (await host.gateway.counts()).find((count) => count.app === app.id)
    assert.equal(counted?.requests, BigInt(numbers.length))
    assert.ok(asleep > 0, 'it never slept')
  },
)

test('a new release takes over without a failed request, and the old one is told to stop', async () => {
  const app = await host.run('octo/moving', await helloFiles())
  const old = (await host.visit(app)).text.split(' ').at(-1)
  let done = false
  const answers: string[] = []
  const client = (async () => {
    while (!done) {
      const { status, text } = await host.visit(app)
      answers.push(`${status} ${text.split(' ').at(-1)}`)
    }
  })()
  const slow = host.visit(app, '/slow?count=1500')
  await host.again(app, 'octo/moving', { 'greeting.txt': 'second' })
  done = true
  await client
  assert.equal((await slow).text, 'slow')
  const kinds = [...new Set(answers)]
  assert.equal(kinds.length, 2, kinds.join())
  assert.ok(kinds.every((kind) => kind.startsWith('200 ')))
  assert.notEqual((await host.visit(app)).text.split(' ').at(-1), old)
  while (!(await host.printed(app)).includes('stopping')) await sleep(50)
})

test('an app that dies is started again, visitors wait for it, and its log says why it died', async () => {
  const app = await host.run('octo/mortal', await helloFiles())
  for (const [path, why] of [
    ['/exit?count=3', /exited with code 3/],
    ['/eat', /memory/],
  ] as const) {
    // prettier-ignore
    assert.notEqual((await host.visit(app, path)).status, 200)
    // Who comes while it is dying may still be taken by it, and cut off. Who comes once its end is noticed waits.
    while (!why.test(await host.bench.log(app.id))) await sleep(20)
    const next = await host.visit(app)
    assert.deepEqual([next.status, next.text.slice(0, 8)], [200, 'hello 1 '])
  }
})

test('without money an app is stopped and says so; with money it is back', async () => {
  const app = await host.run('octo/poor', await helloFiles())
  assert.equal((await host.visit(app)).status, 200)
  await host.setState(app, 'frozen')
  await host.until(app, 'none')
  const poor = await host.visit(app)
  assert.equal(poor.status, 402)
  assert.match(poor.text, /nobody pays for it/)
  await host.setState(app, 'funded')
  assert.match((await host.visit(app)).text, /^hello 1 /)
})

test('a release that ends at once fails its deployment, and the earlier one goes on', async () => {
  const app = await host.run('octo/broken', await helloFiles())
  const before = (await host.visit(app)).text
  await assert.rejects(
    host.again(app, 'octo/broken', { 'server.js': 'console.log("no config"); process.exit(7)' }),
    /exited with code 7[^]*no config/,
  )
  assert.equal((await host.visit(app)).text, before.replace('1', '2'))
})

test(
  'a sandbox of nobody is removed when the node starts, and apps go on as they were',
  { timeout: 120_000 },
  async () => {
    const awake = await host.run('octo/awake', await helloFiles())
    const asleep = await host.run('octo/asleep', await helloFiles())
    const dead = await host.run('octo/dead', await helloFiles())
    await host.until(asleep, 'asleep')
    const [one, two] = [await host.visit(awake), await host.visit(dead)]
    await host.visit(awake, '/print?count=500&text=before')
    await host.restart(async () => {
      // Meanwhile HAProxy serves those that are awake, and counts.
      assert.equal((await host.visit(awake, '/print?count=500&text=meanwhile')).status, 200)
      await host.strangeThings(dead)
    })
    assert.equal((await host.visit(awake)).text, one.text.replace('1', '4'))
    assert.match((await host.visit(asleep)).text, /^hello 1 /)
    assert.match((await host.visit(dead)).text, /^hello 1 /)
    assert.notEqual((await host.visit(dead)).text, two.text)
    assert.deepEqual(await host.orphans(), [])
    await host.printedAll(awake)
    const lines = await host.printed(awake)
    assert.equal(lines.filter((line) => line === 'before').length, 500)
    assert.equal(lines.filter((line) => line === 'meanwhile').length, 500)
    const counted = (await host.gateway.counts()).find((count) => count.app === awake.id)
    assert.equal(counted?.requests, 4n)
  },
)
