import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { keeperFiles, openDataBench, SMALL, type DataBench } from './testing.ts'

let data: DataBench
before(async () => {
  data = await openDataBench({ PERENNIAL_IDLE_SECONDS: '2', PERENNIAL_APP_MEMORY_MIB: '128' })
})
after(() => data[Symbol.asyncDispose]())

test('a full volume is "no space" to its app, which goes on and can write again once it has deleted', async () => {
  const { host, ask } = data
  const app = await host.run('octo/full', await keeperFiles({ volumes: [SMALL] }))
  await ask(app, '/put', { name: 'before', text: 'x' })
  assert.equal(await ask(app, '/fill'), 'ENOSPC')
  assert.equal(await ask(app, '/get', { name: 'before' }), 'x')
  await assert.rejects(ask(app, '/put', { name: 'during', text: 'x'.repeat(6000) }), /ENOSPC/)
  await ask(app, '/clear')
  assert.equal(await ask(app, '/put', { name: 'after', text: 'y'.repeat(6000) }), 'kept')
  assert.equal((await host.bench.log(app.id)).includes('killed'), false)
})

test('a volume grows when a release asks for more, never shrinks, and keeps what is in it', async () => {
  const { host, ask } = data
  const app = await host.run('octo/growing', await keeperFiles({ volumes: [SMALL] }))
  await ask(app, '/put', { name: 'kept', text: 'all the time' })
  const sizes = async () => (await host.bench.client.volumes()).map(({ sizeBytes }) => sizeBytes / 2 ** 20)
  const grow = async (size: string) =>
    host.again(app, 'octo/growing', { 'perennial.json': JSON.stringify({ volumes: [{ path: '/data', size }] }) })
  await grow('96 MiB')
  assert.equal(await ask(app, '/get', { name: 'kept' }), 'all the time')
  assert.ok((await sizes()).includes(96))
  await grow('32 MiB')
  assert.equal(await ask(app, '/get', { name: 'kept' }), 'all the time')
  assert.ok((await sizes()).includes(96))
})

test('more than an app may have is refused in words, and what ran before goes on', async () => {
  const { host, ask } = data
  const app = await host.run('octo/greedy', await keeperFiles({ volumes: [SMALL] }))
  const much = JSON.stringify({ volumes: [{ path: '/data', size: '64 GB' }] })
  await assert.rejects(host.again(app, 'octo/greedy', { 'perennial.json': much }), /64\.0 GB together; an app may have/)
  assert.equal(await ask(app, '/'), 'hello')
})

test('an app pays rent for what its volume holds, and for less once it deletes', async () => {
  const { host, ask } = data
  const app = await host.run('octo/tenant', await keeperFiles({ volumes: [SMALL] }))
  const MIB = 2n ** 20n
  const keeps = async (right: (bytes: bigint) => boolean) => {
    const deadline = Date.now() + 25_000
    for (;;) {
      const bytes = (await host.builder.metering.kept([app.id], 'volumes')).get(app.id) ?? 0n
      if (right(bytes)) return
      if (Date.now() > deadline) assert.fail(`it pays for ${bytes} bytes`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
  await keeps((bytes) => bytes > 0n && bytes < 8n * MIB)
  await ask(app, '/fill')
  await keeps((bytes) => bytes > 24n * MIB && bytes <= 32n * MIB)
  await ask(app, '/clear')
  await keeps((bytes) => bytes < 8n * MIB)
  const all = (await host.builder.metering.kept([app.id])).get(app.id) ?? 0n
  const images = (await host.builder.metering.kept([app.id], 'releases')).get(app.id) ?? 0n
  assert.ok(images > 0n && all > images)
})

test('what an app keeps in its volume is there after a redeploy, a sleep, a stop and a kill of the node', async () => {
  const { host, ask } = data
  const app = await host.run('octo/notes', await keeperFiles({ volumes: [SMALL] }))
  const kept: string[] = []
  const write = async (name: string) => {
    assert.equal(await ask(app, '/put', { name, text: `text of ${name}` }), 'kept')
    kept.push(name)
  }
  const check = async () => {
    for (const name of kept) assert.equal(await ask(app, '/get', { name }), `text of ${name}`)
    assert.equal(await ask(app, '/list'), kept.toSorted().join())
  }
  await write('first')
  await host.again(app, 'octo/notes', { 'note.txt': 'changed' })
  await check()
  await write('redeployed')
  await host.until(app, 'asleep')
  await check()
  await write('slept')
  await host.halt(app)
  await check()
  await write('stopped')
  await host.restart()
  await check()
  await write('restarted')
  await host.restart(() => host.strangeThings(app))
  await check()
  await host.setState(app, 'frozen')
  await host.until(app, 'none')
  await host.setState(app, 'funded')
  await check()
  await host.bench.sandbox.crash()
  await check()
})
