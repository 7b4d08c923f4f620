import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../apps/index.ts'
import type { Run } from './queries/runs.ts'
import { openHostingBench, type HostingBench } from './testing.ts'

const SERVER = `require('node:http').createServer((q, r) => r.end(process.env.RELEASE ?? 'one')).listen(process.env.PORT)`
const WORKER = `
console.log('worker begins', process.pid)
setInterval(() => console.log('tick'), 200)
`

let host: HostingBench
before(async () => {
  host = await openHostingBench({ PERENNIAL_IDLE_SECONDS: '2', PERENNIAL_APP_MEMORY_MIB: '128' })
})
after(() => host[Symbol.asyncDispose]())

const files = (more: Record<string, string> = {}) => ({
  Procfile: 'web: node server.js',
  'server.js': SERVER,
  'worker.js': WORKER,
  ...more,
})
const linesOf = async (app: App, source: string): Promise<string[]> =>
  (await host.builder.logs.tail({ app: app.id, limit: 10_000, source })).map(({ text }) => text)

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const untilMs = Date.now() + 30_000; !(await holds()); await sleep(50))
    if (Date.now() > untilMs) throw new Error(`not within 30 s: ${what}`)
}

const run = (app: App, argv: string[]): Promise<Run> =>
  host.builder.services.database.transaction((tx) =>
    host.hosting.runs.request(tx, { app: app.id, process: null, argv, by: null }),
  )

async function ended({ id }: Run): Promise<Run> {
  await until('the command ends', async () => (await host.hosting.runs.find(id))?.endedAt !== null)
  return (await host.hosting.runs.find(id)) ?? assert.fail('it is gone')
}

test('the release phase runs before visitors come to a release, and one that fails leaves the release before', async () => {
  const app = await host.run('octo/phases', files({ Procfile: 'web: node server.js\nrelease: echo migrated\n' }))
  assert.deepEqual(await linesOf(app, 'release'), ['migrated'])
  const failing = { Procfile: 'web: node server.js\nrelease: sh -c "echo broken; exit 3"\n', 'server.js': 'nothing' }
  await assert.rejects(host.again(app, 'octo/phases', files(failing)), /release phase exited with code 3/)
  assert.equal((await host.visit(app)).text, 'one')
})

test('a worker runs beside the web process, is started again when it ends, and rests while money is short', async () => {
  const app = await host.run('octo/worker', files({ Procfile: 'web: node server.js\nworker: node worker.js\n' }))
  await until('it ticks', async () => (await linesOf(app, 'worker')).includes('tick'))
  const begun = async () => (await linesOf(app, 'worker')).filter((line) => line.startsWith('worker begins')).length
  const { services, client } = host.builder
  const worker = () =>
    services.database.query<{ id: string }>(
      `select id from instance where app = $1 and process = 'worker' and state <> 'gone'`,
      [app.id],
    )
  await client.stop({ id: (await worker())[0]?.id ?? '', graceMs: 0 })
  await until('it began again', async () => (await begun()) === 2)
  await host.setState(app, 'thrifty')
  await until('it rests', async () => (await worker()).length === 0)
  assert.equal((await host.visit(app)).text, 'one')
  await host.setState(app, 'funded')
  await until('it works again', async () => (await begun()) === 3)
})

test('a command runs once in a copy of the app: its lines are in the log, its exit code with it', async () => {
  const app = await host.run('octo/commands', files())
  const good = await ended(await run(app, ['node', '-e', 'console.log("from", process.cwd())']))
  assert.deepEqual([good.exitCode, await linesOf(app, good.process)], [0, ['from /app']])
  const bad = await ended(await run(app, ['sh', '-c', 'echo no >&2; exit 7']))
  assert.deepEqual([bad.exitCode, bad.sentence], [7, 'exited with code 7'])
  await host.setState(app, 'thrifty')
  const poor = await ended(await run(app, ['true']))
  assert.match(poor.sentence ?? '', /purse/)
})

test('a folder of a workspace runs in that folder', async () => {
  const workspace = {
    'package.json': JSON.stringify({ name: 'top', private: true, workspaces: ['packages/*'] }),
    'packages/site/package.json': JSON.stringify({ name: 'site', scripts: { start: 'node server.js' } }),
    'packages/site/server.js': SERVER.replace("process.env.RELEASE ?? 'one'", 'process.cwd()'),
  }
  const app = await host.run('octo/workspace', workspace, 'packages/site')
  assert.equal((await host.visit(app)).text, '/app/packages/site')
})

test('what is due at set times is run once each time, and not while its app may not work in the background', async () => {
  const crontab = JSON.stringify({ cron: [{ schedule: '0 3 * * *', command: 'echo due' }] })
  const app = await host.run('octo/due', files({ 'app.json': crontab }))
  const { database } = host.builder.services
  const makeDue = () => database.query(`update cron_entry set next_at = now() where app = $1`, [app.id])
  const runs = () => host.hosting.runs.list(app.id, 10)
  await makeDue()
  await until('it ran', async () => (await runs()).some(({ exitCode }) => exitCode === 0))
  const [done] = await runs()
  assert.deepEqual(await linesOf(app, done?.process ?? ''), ['due'])
  await host.setState(app, 'thrifty')
  await makeDue()
  await until('its next time is set', async () => {
    const [entry] = await database.query<{ later: boolean }>('select next_at > now() as later from cron_entry where app = $1', [app.id]) // prettier-ignore
    return entry?.later === true
  })
  assert.equal((await runs()).length, 1)
})

test('a node that is killed finds its workers again, and runs no command twice', async () => {
  const app = await host.run('octo/kept', files({ Procfile: 'web: node server.js\nworker: node worker.js\n' }))
  await until('it ticks', async () => (await linesOf(app, 'worker')).includes('tick'))
  const asked = await run(app, ['sh', '-c', 'echo once; sleep 1000'])
  await until('it prints', async () => (await linesOf(app, asked.process)).length > 0)
  await host.restart()
  await host.builder.services.jobs.start()
  const { exitCode, sentence } = await ended(asked)
  assert.deepEqual([exitCode, sentence], [null, 'was interrupted when the node was restarted'])
  assert.deepEqual(await linesOf(app, asked.process), ['once'])
  await sleep(2500)
  assert.equal((await linesOf(app, 'worker')).filter((line) => line.startsWith('worker begins')).length, 1)
  assert.deepEqual((await host.hosting.instances(app.id)).map(({ process }) => process).toSorted(), ['web', 'worker'])
  assert.deepEqual(await host.orphans(), [])
})
