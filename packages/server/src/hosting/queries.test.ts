import assert from 'node:assert/strict'
import test from 'node:test'
import { newId } from '@perennial/protocol'
import { serverDatabase } from '../testing.ts'
import { forgetInstances, insertInstance, liveInstances, setInstance } from './queries.ts'

test('instances that are gone are forgotten, however old those are that live', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  const app = newId()
  await database.query(
    `insert into app (id, slug, url, forge, owner, name, created_at, state, state_since)
     values ($1, 'a--o', 'https://forge.example/o/a', 'forge.example', 'o', 'a', now(), 'funded', now())`,
    [app],
  )
  const long = new Date('2026-01-01T00:00:00Z')
  const now = new Date('2026-11-21T00:00:00Z')
  for (const id of ['i-old', 'i-new', 'i-live'])
    await insertInstance(database, {
      id,
      app,
      process: 'web',
      once: false,
      release: 'r',
      number: 1,
      deployment: null,
      payer: 'p',
      startedAt: long,
    })
  await setInstance(database, { id: 'i-old', state: 'gone', since: long })
  await setInstance(database, { id: 'i-new', state: 'gone', since: now })
  await forgetInstances(database, new Date('2026-11-14T00:00:00Z'))
  const left = await database.query<{ id: string }>('select id from instance order by id')
  assert.deepEqual(left, [{ id: 'i-live' }, { id: 'i-new' }])
  assert.equal((await liveInstances(database)).length, 1)
})
