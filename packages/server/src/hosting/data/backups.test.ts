import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { isRefusal } from '@perennial/protocol'
import type { App } from '../../apps/index.ts'
import type { Backup } from './queries/backups.ts'
import { keeperFiles, openDataBench, SMALL, type DataBench } from './testing.ts'

let data: DataBench
before(async () => {
  data = await openDataBench({
    PERENNIAL_IDLE_SECONDS: '3',
    PERENNIAL_APP_MEMORY_MIB: '128',
    PERENNIAL_APP_DATABASE_MIB: '128',
  })
})
after(() => data[Symbol.asyncDispose]())

async function backUp(app: App): Promise<Backup> {
  const asked = await data.host.data.backups.ask({ app: app.id, by: null })
  assert.ok(!isRefusal(asked), isRefusal(asked) ? asked.sentence : '')
  for (;;) {
    const [now] = await data.host.data.backups.of(app.id)
    assert.notEqual(now?.state, 'failed', now?.problem ?? '')
    if (now?.id === asked.id && now.state === 'kept') return now
    await sleep(50)
  }
}

async function restore(app: App, backup: Backup): Promise<void> {
  const asked = await data.host.data.restores.ask({ app: app.id, backup: backup.id, by: null })
  assert.ok(!isRefusal(asked), isRefusal(asked) ? asked.sentence : '')
  for (;;) {
    const [now] = await data.host.data.restores.of(app.id)
    assert.notEqual(now?.state, 'failed', now?.problem ?? '')
    if (now?.id === asked.id && now.state === 'done') return
    await sleep(50)
  }
}

async function fileOf(backup: Backup, part: 'files' | 'database'): Promise<Buffer> {
  const file = await data.host.data.backups.file(backup.id, part)
  const bytes = readFileSync(file!.path)
  assert.equal(createHash('sha256').update(bytes).digest('hex'), file!.sha256)
  assert.equal(bytes.length, file!.sizeBytes)
  return bytes
}

test('a backup is files that any tar and any psql reads, and brings back exactly what it holds', async () => {
  const { host, ask, sql } = data
  const volumes = [SMALL, { path: '/app/store', size: '32 MiB' }]
  const app = await host.run('octo/archive', await keeperFiles({ volumes, database: 'postgres' }))
  await ask(app, '/put', { name: 'a b', text: 'first' })
  await ask(app, '/put', { name: 'unreadable', text: 'kept all the same' })
  await ask(app, '/chmod', { name: 'unreadable', mode: '0' })
  await ask(app, '/put', { name: 'script', text: '#!/bin/sh' })
  await ask(app, '/chmod', { name: 'script', mode: '755' })
  await ask(app, '/put', { name: '../app/store/deep', text: 'in the other volume' })
  await sql(app, 'create role reader')
  await sql(app, 'create table note (id int primary key, text text)')
  await sql(app, `insert into note values (1, E'line\\nbreak'), (2, null), (3, 'Ä €')`)
  await sql(app, 'grant select on note to reader')
  const backup = await backUp(app)
  assert.deepEqual(
    backup.files.map(({ part }) => part),
    ['files', 'database'],
  )

  const folder = mkdtempSync(join(tmpdir(), 'perennial-backup-'))
  copyFileSync((await data.host.data.backups.file(backup.id, 'files'))!.path, join(folder, 'x.tar.gz'))
  execFileSync('tar', ['-xzf', 'x.tar.gz'], { cwd: folder })
  assert.equal(readFileSync(join(folder, 'data/a b'), 'utf8'), 'first')
  assert.equal(readFileSync(join(folder, 'app/store/deep'), 'utf8'), 'in the other volume')
  rmSync(folder, { recursive: true })
  const text = gunzipSync(await fileOf(backup, 'database')).toString()
  assert.match(text, /CREATE TABLE public\.note/)

  await ask(app, '/put', { name: 'a b', text: 'second' })
  await ask(app, '/put', { name: 'later', text: 'x' })
  await sql(app, 'drop table note')
  await sql(app, 'create table other ()')
  await restore(app, backup)
  assert.equal(await ask(app, '/list'), 'a b,script,unreadable')
  assert.equal(await ask(app, '/get', { name: 'a b' }), 'first')
  assert.equal(await ask(app, '/get', { name: 'unreadable' }), 'kept all the same')
  assert.equal(await ask(app, '/mode', { name: 'script' }), '755')
  assert.equal(await ask(app, '/get', { name: '../app/store/deep' }), 'in the other volume')
  assert.deepEqual(await sql(app, 'select * from note order by id'), [
    ['1', 'line\nbreak'],
    ['2', null],
    ['3', 'Ä €'],
  ])
  assert.deepEqual(await sql(app, `select count(*) from pg_tables where schemaname = 'public'`), [['1']])

  const again = await backUp(app)
  const [one, two] = [await fileOf(backup, 'database'), await fileOf(again, 'database')].map((bytes) =>
    // A key against statements that end the dump's own: another one in each dump.
    gunzipSync(bytes)
      .toString()
      .replaceAll(/^\\(un)?restrict .*$/gm, ''),
  )
  assert.equal(two, one)
  const entries = (bytes: Buffer) =>
    execFileSync('tar', ['-tvzf', '-'], { input: bytes })
      .toString()
      .replaceAll(/ 20\d\d-.* \d\d:\d\d /g, ' ')
  assert.equal(entries(await fileOf(again, 'files')), entries(await fileOf(backup, 'files')))
})

test('a backup of a sleeping app wakes nobody, and one of a busy app fails no request', async () => {
  const { host, ask, sql } = data
  const app = await host.run('octo/sleepy', await keeperFiles({ volumes: [SMALL], database: 'postgres' }))
  await sql(app, 'create table note (text text)')
  let busy = true
  let asked = 0
  const visitor = (async () => {
    while (busy) {
      await ask(app, '/put', { name: 'n', text: String(++asked) })
      await sql(app, `insert into note values ('${asked}')`)
    }
  })()
  await backUp(app)
  busy = false
  await visitor
  assert.equal((await sql(app, 'select count(*) from note'))[0]?.[0], String(asked))
  await host.until(app, 'asleep')
  await sleep(500)
  await backUp(app)
  await host.until(app, 'asleep', 0)
  assert.equal(await ask(app, '/get', { name: 'n' }), String(asked))
})

test('old backups go, and the app pays for those that are kept', async () => {
  const { host, ask } = data
  const app = await host.run('octo/saver', await keeperFiles({ volumes: [SMALL] }))
  for (let round = 0; round < 5; round++) {
    await ask(app, '/put', { name: 'n', text: String(round) })
    await backUp(app)
  }
  while ((await host.data.backups.of(app.id)).length > 3) await sleep(50)
  await host.builder.services.jobs.idle()
  const kept = await host.data.backups.of(app.id)
  assert.deepEqual(
    kept.map(({ state }) => state),
    ['kept', 'kept', 'kept'],
  )
  const bytes = kept.flatMap(({ files }) => files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  assert.equal((await host.builder.metering.kept([app.id], 'backups')).get(app.id), BigInt(bytes))
  const archives = (await host.bench.client.archives()).map(({ id }) => id)
  for (const { archive } of kept.flatMap(({ files }) => files)) assert.ok(archives.includes(archive))
  await restore(app, kept.at(-1)!)
  assert.equal(await ask(app, '/get', { name: 'n' }), '2')
})

test('an app without data, or without money, is told why it gets no backup', async () => {
  const { host } = data
  const bare = await host.run('octo/bare', await keeperFiles({}))
  const nothing = await host.data.backups.ask({ app: bare.id, by: null })
  assert.ok(isRefusal(nothing))
  assert.match(nothing.sentence, /no volume and no database/)
  const app = await host.run('octo/broke', await keeperFiles({ volumes: [SMALL] }))
  await host.setState(app, 'frozen')
  const unpaid = await host.data.backups.ask({ app: app.id, by: null })
  assert.ok(isRefusal(unpaid))
  assert.match(unpaid.sentence, /Nobody pays/)
})
