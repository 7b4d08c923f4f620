import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../apps/index.ts'
import { keeperFiles, openDataBench, SMALL, type DataBench } from './testing.ts'

let data: DataBench
before(async () => {
  data = await openDataBench({
    PERENNIAL_IDLE_SECONDS: '2',
    PERENNIAL_APP_MEMORY_MIB: '128',
    PERENNIAL_APP_DATABASE_MIB: '128',
  })
})
after(() => data[Symbol.asyncDispose]())

const databaseOf = async (app: App) =>
  (await data.host.bench.client.list()).find(({ id }) => id === `d-${app.id.replaceAll('-', '')}`)

test('an app that declares a database finds one at DATABASE_URL, private and without a network', async () => {
  const { host, ask, sql } = data
  const app = await host.run('octo/rows', await keeperFiles({ database: 'postgres' }))
  assert.equal(
    await ask(app, '/env', { name: 'DATABASE_URL' }),
    'postgresql:///app?host=/run/postgresql&user=app&sslmode=disable',
  )
  assert.deepEqual(await sql(app, "select current_user, current_database(), lower('Ä')"), [['app', 'app', 'ä']])
  const settings = `select name, setting from pg_settings
    where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'max_connections', 'listen_addresses') order by name`
  assert.deepEqual(await sql(app, settings), [
    ['fsync', 'on'],
    ['full_page_writes', 'on'],
    ['listen_addresses', ''],
    ['max_connections', '40'],
    ['synchronous_commit', 'on'],
  ])
  await sql(app, `alter system set fsync = off`)
  await sql(app, `select pg_reload_conf()`)
  assert.deepEqual(await sql(app, 'show fsync'), [['on']])
})

test('what a database burns is charged to its app', async () => {
  const { host, sql } = data
  const app = await host.run('octo/busy', await keeperFiles({ database: 'postgres' }))
  await sql(app, 'select count(*) from generate_series(1, 3000000)')
  const { id } = (await databaseOf(app))!
  const burnt = (await host.bench.client.read()).find((reading) => reading.id === id)!.cpuNs
  await host.halt(app)
  const rows = await host.builder.services.database.query<{ used: string }>(
    `select sum(used)::text as used from usage_line join usage_interval on id = usage where app = $1 and meter = 'cpu'`,
    [app.id],
  )
  assert.ok(burnt > 500_000_000n, String(burnt))
  assert.ok(BigInt(rows[0]!.used) >= burnt, `${rows[0]!.used} of ${burnt}`)
})

test('statements and rows are in no log, not even when they fail', async () => {
  const { host, sql } = data
  const app = await host.run('octo/private', await keeperFiles({ database: 'postgres' }))
  await sql(app, 'create table person (name text unique)')
  await sql(app, `insert into person values ('marmalade')`)
  await assert.rejects(sql(app, `insert into person values ('marmalade')`), /duplicate key/)
  await assert.rejects(sql(app, `select 'marmalade' where`), /syntax error/)
  const { id } = (await databaseOf(app))!
  const printed = await readFile(host.bench.client.logPath(id), 'utf8')
  assert.match(printed, /ready to accept connections/)
  assert.doesNotMatch(printed + (await host.bench.log(app.id)), /marmalade|duplicate/)
})

test('a full database takes no more, and works again once something was deleted', { timeout: 120_000 }, async () => {
  const { host, sql } = data
  const app = await host.run('octo/packed', await keeperFiles({ database: 'postgres' }))
  await sql(app, 'create table heap (bytes text)')
  const more = `insert into heap select string_agg(md5(random()::text), '')
    from generate_series(1, 20000), generate_series(1, 5) as row group by row`
  const full = async () => {
    for (;;) await sql(app, more)
  }
  await assert.rejects(full(), /No space left/)
  assert.ok(Number((await sql(app, 'select count(*) from heap'))[0]?.[0]) > 0)
  await sql(app, 'delete from heap')
  // It may have to wait for the first megabyte that was set aside.
  while (
    !(await sql(app, 'vacuum heap').then(
      () => true,
      () => false,
    ))
  )
    await sleep(500)
  await sql(app, more)
  await assert.rejects(full(), /No space left/)
  await host.halt(app)
  while (
    !(await sql(app, 'truncate heap').then(
      () => true,
      () => false,
    ))
  )
    await sleep(500)
  await sql(app, more)
})

test('a first release that does not start leaves no database running', async () => {
  const { host } = data
  const files = await keeperFiles({ database: 'postgres' }, { 'server.js': 'process.exit(3)' })
  await assert.rejects(host.run('octo/stillborn', files), /exited with code 3/)
  const app = (await host.builder.apps.list()).find(({ name }) => name === 'stillborn')!
  for (let tries = 0; (await databaseOf(app)) && tries < 100; tries++) await sleep(50)
  assert.equal(await databaseOf(app), undefined)
})

test('rows survive a redeploy, a sleep, a stop, a crash of the database and kills of node and daemon', async () => {
  const { host, sql, ask } = data
  const app = await host.run('octo/table', await keeperFiles({ volumes: [SMALL], database: 'postgres' }))
  await sql(app, 'create table note (text text)')
  let rows = 0
  const write = async () => {
    await sql(app, `insert into note values ('${++rows}')`)
  }
  const check = async () => assert.deepEqual(await sql(app, 'select count(*) from note'), [[String(rows)]])
  await write()
  await host.again(app, 'octo/table', { 'note.txt': 'changed' })
  await check()
  await write()
  await host.until(app, 'asleep')
  while ((await databaseOf(app))?.state !== 'frozen') await sleep(20)
  await check()
  assert.equal((await databaseOf(app))?.state, 'running')
  await write()
  await host.halt(app)
  assert.equal(await databaseOf(app), undefined)
  await check()
  await write()
  const { id, startedAt } = (await databaseOf(app))!
  await host.bench.client.stop({ id, graceMs: 0 })
  while ((await databaseOf(app))?.startedAt === startedAt) await sleep(50)
  for (;;) {
    const answered = await ask(app, '/sql', { text: 'select 1' }).catch(() => null)
    if (answered) break
    await sleep(50)
  }
  await check()
  await write()
  await host.restart()
  await check()
  await host.restart(() => host.strangeThings(app))
  await check()
  await write()
  await host.bench.sandbox.crash()
  await check()
})
