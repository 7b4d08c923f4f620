import assert from 'node:assert/strict'
import test from 'node:test'
import { FakeClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { openDiagnostics } from '../diagnostics.ts'
import { openEvents } from '../events.ts'
import { openJobs } from '../jobs.ts'
import { serverDatabase } from '../testing.ts'
import { forgetChanges } from './queries/apps.ts'
import { openApps, type Apps, type Origin } from './index.ts'
import type { Database } from '../database.ts'

const hello: Origin = {
  slug: 'hello--octo',
  url: 'https://forge.example/octo/hello',
  forge: 'forge.example',
  owner: 'octo',
  name: 'hello',
}

async function withApps(work: (apps: Apps, database: Database, clock: FakeClock) => Promise<void>): Promise<void> {
  await using served = await serverDatabase()
  const { database } = served
  const clock = new FakeClock()
  const diagnostics = openDiagnostics({ level: 'error' })
  const jobs = openJobs({ database, clock, diagnostics, owner: 'test' })
  const events = openEvents({ jobs, clock })
  const apps = openApps({ config: readConfig({}), database, events, jobs, clock, diagnostics })
  await work(apps, database, clock)
}

test('a repository is one app, however many ask for it at once', () =>
  withApps(async (apps, database) => {
    const asked = Array.from({ length: 8 }, () => database.transaction((tx) => apps.create(tx, hello, {})))
    const ids = new Set((await Promise.all(asked)).map((app) => app.id))
    assert.equal(ids.size, 1)
    const found = await apps.find('hello--octo')
    assert.equal(found?.id, [...ids][0])
    assert.equal((await apps.find(found!.id))?.slug, 'hello--octo')
    assert.equal((await apps.findByOrigin(hello))?.slug, 'hello--octo')
    assert.equal(await apps.find('nobody--octo'), null)
  }))

test('two repositories that fold to one name get two names', () =>
  withApps(async (apps, database) => {
    const other = { ...hello, url: 'https://forge.example/octo/Hello' }
    const first = await database.transaction((tx) => apps.create(tx, hello, {}))
    const second = await database.transaction((tx) => apps.create(tx, other, {}))
    assert.equal(first.slug, 'hello--octo')
    assert.match(second.slug, /^hello--octo-[0-9a-f]{8}$/)
    assert.equal((await database.transaction((tx) => apps.create(tx, other, {}))).id, second.id)
  }))

test('each folder of a repository may be an app of its own', () =>
  withApps(async (apps, database) => {
    const web = { ...hello, slug: 'hello--octo--abcdefghij', root: 'packages/web' }
    const top = await database.transaction((tx) => apps.create(tx, hello, {}))
    const inner = await database.transaction((tx) => apps.create(tx, web, { ref: 'v1' }))
    assert.notEqual(inner.id, top.id)
    assert.deepEqual([inner.root, top.root], ['packages/web', ''])
    assert.equal((await apps.findByOrigin(web))?.id, inner.id)
    assert.equal((await apps.findByOrigin(hello))?.id, top.id)
    await apps.setRef(database, inner.id, null)
    assert.equal((await apps.find(inner.id))?.ref, null)
  }))

test('each state an app came to is public history, with the reason, once', () =>
  withApps(async (apps, database, clock) => {
    const app = await database.transaction((tx) => apps.create(tx, hello, { by: 'did:key:z6Mk' }))
    await clock.advance(60_000)
    const set = () => database.transaction((tx) => apps.setState(tx, app.id, 'funded', 'Paid for 30 days.'))
    assert.deepEqual([await set(), await set()], [true, false])
    assert.deepEqual(
      (await apps.history(app.id)).map(({ state, sentence }) => `${state}: ${sentence}`),
      ['frozen: New: nobody has paid for it yet.', 'funded: Paid for 30 days.'],
    )
    assert.equal((await apps.find(app.id))?.stateSince.toISOString(), '2026-01-01T00:01:00.000Z')
    const events = await database.query<{ data: unknown }>(`select data from event where type = 'state-changed'`)
    assert.deepEqual(
      events.map((event) => event.data),
      [{ app: app.id, from: 'frozen', to: 'funded', sentence: 'Paid for 30 days.', at: '2026-01-01T00:01:00.000Z' }],
    )
  }))

test('an app that changes its state without end keeps the newest changes', () =>
  withApps(async (apps, database, clock) => {
    const app = await database.transaction((tx) => apps.create(tx, hello, {}))
    for (let turn = 0; turn < 6; turn++) {
      await clock.advance(60_000)
      const state = turn % 2 === 0 ? 'funded' : 'frozen'
      await database.transaction((tx) => apps.setState(tx, app.id, state, `change ${turn}`))
    }
    await forgetChanges(database, 3)
    assert.deepEqual(
      (await apps.history(app.id)).map(({ sentence }) => sentence),
      ['change 3', 'change 4', 'change 5'],
    )
  }))
