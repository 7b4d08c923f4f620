import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRefusal } from '@perennial/protocol'
import type { App, NewSetting } from '../apps/index.ts'
import type { Deployment } from '../builds/index.ts'
import { keeperFiles, openDataBench, type DataBench } from './data/testing.ts'

let data: DataBench
before(async () => {
  data = await openDataBench({ PERENNIAL_IDLE_SECONDS: '60', PERENNIAL_APP_MEMORY_MIB: '128' })
})
after(() => data[Symbol.asyncDispose]())

/** As the method does it; answers the deployment that followed, once it is decided. */
async function set(app: App, settings: Record<string, NewSetting>): Promise<Deployment | null> {
  const { services, settings: store, builds } = data.host.builder
  const id = await services.database.transaction(async (tx) => {
    const version = await store.set(tx, app.id, settings)
    assert.equal(typeof version, 'number')
    return builds.reconfigured(tx, app.id, null)
  })
  return id === null ? null : decided(id)
}

async function decided(id: string): Promise<Deployment> {
  for (;;) {
    const now = await data.host.builder.builds.deployment(id)
    if (now && (now.status !== 'starting' || now.problem !== null)) return now
    await sleep(50)
  }
}

async function rollBack(app: App, number: number | null): Promise<Deployment> {
  const { services, builds } = data.host.builder
  const id = await services.database.transaction((tx) => builds.rollBack(tx, app.id, { number, by: null }))
  assert.ok(typeof id === 'string', isRefusal(id) ? id.sentence : '')
  return decided(id)
}

const shown = (value: string): NewSetting => ({ value, secret: false })
const secret = (value: string): NewSetting => ({ value, secret: true })
const env = (app: App, name: string) => data.ask(app, '/env', { name })
const releases = async (app: App) =>
  (await data.host.builder.builds.releases(app.id)).map(({ number, configVersion }) => [number, configVersion])

test('a setting starts the same image anew, as a release of its own, and is in no log', async () => {
  const { host, ask } = data
  const app = await host.run('octo/set', await keeperFiles({}))
  assert.equal(await env(app, 'GREETING'), 'unset')
  const made = await set(app, { GREETING: shown('hello'), TOKEN: secret('swordfish-9000') })
  assert.deepEqual([made?.status, made?.because, made?.cost], ['running', 'config', 0n])
  assert.equal(await env(app, 'GREETING'), 'hello')
  assert.equal(await env(app, 'TOKEN'), 'swordfish-9000')
  assert.deepEqual(await releases(app), [[2, 1], [1, 0]]) // prettier-ignore
  const [two, one] = await host.builder.builds.releases(app.id)
  assert.equal(two?.sha256, one?.sha256)
  await ask(app, '/print', { text: 'my token is swordfish-9000.' })
  while (!(await host.printed(app)).includes('my token is [TOKEN].')) await sleep(50)
  // A cold start finds the same.
  await host.halt(app)
  assert.equal(await env(app, 'TOKEN'), 'swordfish-9000')
})

test('a setting with which the app does not start changes nothing that runs', async () => {
  const { host } = data
  const program = `if (process.env.MODE === 'broken') process.exit(4)\n`
  const files = await keeperFiles({})
  const app = await host.run('octo/fragile', { ...files, 'server.js': program + files['server.js'] })
  await set(app, { GREETING: shown('hello') })
  const failed = await set(app, { MODE: shown('broken'), GREETING: shown('bye') })
  assert.equal(failed?.status, 'failed')
  assert.match(failed?.problem ?? '', /exited with code 4/)
  assert.equal(await env(app, 'GREETING'), 'hello')
  await host.halt(app)
  assert.equal(await env(app, 'GREETING'), 'hello', 'also after a cold start')
  const mended = await set(app, { MODE: shown('fine') })
  assert.equal(mended?.status, 'running')
  assert.equal(await env(app, 'GREETING'), 'bye')
})

test('an app waits, by name, for a setting that it requires, and starts by itself once it is set', async () => {
  const { host } = data
  const { bench } = host
  const manifest = {
    env: { API_KEY: { required: true }, SESSION_SECRET: { generator: 'secret' }, COLOUR: { value: 'red' } },
  }
  const app = await bench.app('octo/needy', await keeperFiles({}, { 'app.json': JSON.stringify(manifest) }))
  await host.setState(app, 'funded')
  const waits = await decided((await bench.deploy(app)).id)
  assert.equal(waits.status, 'starting')
  assert.match(
    waits.problem ?? '',
    /^Waits for the setting API_KEY, which app\.json requires\. Set it: perennial config set needy--octo/,
  )
  assert.match(await bench.log(app.id), /Waits for the setting API_KEY/)
  const started = await set(app, { API_KEY: secret('a key of mine') })
  assert.deepEqual([started?.status, started?.problem], ['running', null])
  assert.equal(await env(app, 'API_KEY'), 'a key of mine')
  assert.equal(await env(app, 'COLOUR'), 'red')
  const session = await env(app, 'SESSION_SECRET')
  assert.match(session, /^[0-9a-f]{64}$/)
  await host.again(app, 'octo/needy', { 'note.txt': 'changed' })
  assert.equal(await env(app, 'SESSION_SECRET'), session)
})

test('a rollback runs an earlier image under a new number, with the settings of now', async () => {
  const { host, ask } = data
  const app = await host.run('octo/back', await keeperFiles({}, { 'note.txt': 'one' }))
  await host.again(app, 'octo/back', { 'note.txt': 'two' })
  await set(app, { GREETING: shown('now') })
  const images = (await host.builder.builds.releases(app.id)).map(({ sha256 }) => sha256)
  assert.equal((await rollBack(app, null)).status, 'running')
  const [latest] = await host.builder.builds.releases(app.id)
  assert.deepEqual([latest?.number, latest?.sha256], [4, images[2]])
  assert.equal(await env(app, 'GREETING'), 'now')
  assert.equal((await rollBack(app, 2)).status, 'running')
  assert.equal((await host.builder.apps.find(app.id))?.release, images[1])
  assert.equal(await ask(app, '/'), 'hello')
  const { services, builds } = host.builder
  const none = await services.database.transaction((tx) => builds.rollBack(tx, app.id, { number: 9, by: null }))
  assert.ok(isRefusal(none))
  assert.match(none.sentence, /has no release 9/)
})

test('a setting that changes while a build is under way is that build’s, or the running release’s if it fails', async () => {
  const { host, bench } = { ...data, bench: data.host.bench }
  const app = await host.run('octo/meanwhile', await keeperFiles({}))
  await bench.remote.commit('octo/meanwhile', { 'package.json': '{ broken' }, 'changed')
  const id = await bench.request(app)
  assert.equal(await set(app, { GREETING: shown('meanwhile') }), null)
  while ((await host.builder.builds.deployment(id))?.status !== 'failed') await sleep(50)
  for (let tries = 0; (await env(app, 'GREETING')) !== 'meanwhile' && tries < 200; tries++) await sleep(50)
  assert.equal(await env(app, 'GREETING'), 'meanwhile')
})
