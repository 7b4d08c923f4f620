import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newId } from '@perennial/protocol'
import { systemClock } from './clock.ts'
import type { Database } from './database.ts'
import { openDiagnostics } from './diagnostics.ts'
import { openEvents } from './events.ts'
import { openJobs } from './jobs.ts'
import type { Jobs } from './jobs.ts'
import { serverDatabase } from './testing.ts'

const diagnostics = openDiagnostics({ level: 'error' })

const jobsOf = (database: Database, owner: string): Jobs =>
  openJobs({ database, clock: systemClock, diagnostics, owner })

test('a job whose process dies runs again when the same node starts', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  const first = jobsOf(database, 'node')
  // What a killed process leaves: a claimed row and nobody working on it.
  await first.enqueue(database, 'greet', { name: 'Ada' })
  await database.query(`update job set claimed_by = 'node', claimed_until = now() + interval '1 minute', attempt = 1`)
  const greeted: unknown[] = []
  const second = jobsOf(database, 'node')
  second.handle('greet', async (job) => void greeted.push([job.data['name'], job.attempt]))
  await second.start()
  await second.idle()
  await second.close()
  assert.deepEqual(greeted, [['Ada', 2]])
})

test('a job that fails is tried again, and one that succeeds is gone', async () => {
  await using opened = await serverDatabase()
  const jobs = jobsOf(opened.database, 'node')
  let tries = 0
  jobs.handle('flaky', async () => {
    tries++
    if (tries === 1) throw new Error('not yet')
  })
  await jobs.enqueue(opened.database, 'flaky', {})
  await jobs.start()
  while (tries < 2) await new Promise((resolve) => setTimeout(resolve, 20))
  await jobs.idle()
  await jobs.close()
  assert.deepEqual(await opened.database.query('select 1 from job'), [])
})

test('what is asked for again while it runs, runs once more', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  const jobs = jobsOf(database, 'node')
  let runs = 0
  jobs.handle('build', async () => {
    runs++
    if (runs > 1) return
    await jobs.enqueue(database, 'build', {}, { key: 'app' })
    await jobs.enqueue(database, 'build', {}, { key: 'app' })
  })
  await jobs.enqueue(database, 'build', {}, { key: 'app' })
  await jobs.start()
  while (runs < 2) await new Promise((resolve) => setTimeout(resolve, 20))
  await jobs.idle()
  await jobs.close()
  assert.equal(runs, 2)
})

test('a job in back-off that is asked for again runs at once', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  const jobs = jobsOf(database, 'node')
  let runs = 0
  jobs.handle('build', async () => void runs++)
  await jobs.enqueue(database, 'build', {}, { key: 'app', runAt: new Date(Date.now() + 300_000) })
  await jobs.start()
  await jobs.idle()
  assert.equal(runs, 0)
  await jobs.enqueue(database, 'build', {}, { key: 'app', runAt: new Date(Date.now() + 600_000) })
  await jobs.idle()
  assert.equal(runs, 0, 'a later time changes nothing')
  await jobs.enqueue(database, 'build', {}, { key: 'app' })
  await jobs.idle()
  await jobs.close()
  assert.equal(runs, 1)
})

test('a job that asks for itself at a later time waits until then, and is brought forward by who asks for it now', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  const jobs = jobsOf(database, 'node')
  let runs = 0
  jobs.handle('build', async () => {
    runs++
    if (runs === 1) await jobs.enqueue(database, 'build', {}, { key: 'app', runAt: new Date(Date.now() + 300_000) })
  })
  await jobs.enqueue(database, 'build', {}, { key: 'app' })
  await jobs.start()
  await jobs.idle()
  assert.equal(runs, 1)
  await jobs.enqueue(database, 'build', {}, { key: 'app' })
  await jobs.idle()
  await jobs.close()
  assert.equal(runs, 2)
  assert.deepEqual(await database.query('select 1 from job'), [])
})

test('a job that still runs when its lease is over does not run a second time beside itself', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  const jobs = jobsOf(database, 'node')
  const { promise: done, resolve: end } = Promise.withResolvers<void>()
  let runs = 0
  jobs.handle('long', async () => {
    runs++
    await done
  })
  await jobs.enqueue(database, 'long', {})
  await jobs.start()
  while (runs === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  await database.query(`update job set claimed_until = now() - interval '1 minute'`)
  await database.query('notify job')
  await new Promise((resolve) => setTimeout(resolve, 200))
  end()
  await jobs.idle()
  await jobs.close()
  assert.equal(runs, 1)
})

test('a job that ended while the database was away runs again once it is back, not a lease later', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  const query = database.query.bind(database)
  const jobs = jobsOf(database, 'node')
  let runs = 0
  jobs.handle('greet', async () => {
    runs++
    if (runs > 1) return
    Object.assign(database, { query: () => Promise.reject(new Error('the database is away')) })
    setTimeout(() => Object.assign(database, { query }), 100)
  })
  await jobs.enqueue(database, 'greet', {})
  await jobs.start()
  while (runs < 2) await new Promise((resolve) => setTimeout(resolve, 20))
  await jobs.idle()
  await jobs.close()
  assert.deepEqual(await database.query('select 1 from job'), [])
})

test('what is done daily is done at each start and is due again a day later, once', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  let done = 0
  for (let start = 1; start <= 2; start++) {
    const jobs = jobsOf(database, 'node')
    jobs.daily('forget', async () => void done++)
    await jobs.start()
    await jobs.idle()
    await jobs.close()
    assert.equal(done, start)
  }
  const due = await database.query(
    `select from job where run_at between now() + interval '23 h' and now() + interval '25 h'`,
  )
  assert.equal(due.length, 1)
  assert.equal((await database.query('select from job')).length, 1)
})

test('events are forgotten after a quarter', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  const jobs = jobsOf(database, 'node')
  const events = openEvents({ jobs, clock: systemClock })
  await database.transaction((tx) => events.emit(tx, 'contributed', { app: newId(), contribution: 'new' }))
  await database.transaction((tx) => events.emit(tx, 'contributed', { app: newId(), contribution: 'old' }))
  await database.query(`update event set at = now() - interval '91 days' where data ->> 'contribution' = 'old'`)
  await jobs.start()
  await jobs.idle()
  await jobs.close()
  assert.deepEqual(await database.query(`select data ->> 'contribution' as said from event`), [{ said: 'new' }])
})

test('an event whose transaction rolls back was never said', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  const jobs = jobsOf(database, 'node')
  const events = openEvents({ jobs, clock: systemClock })
  const heard: string[] = []
  events.on('contributed', 'listener', async (data) => void heard.push(data.contribution))
  await jobs.start()
  const app = '00000000-0000-8000-8000-000000000001'
  await assert.rejects(
    database.transaction(async (tx) => {
      await events.emit(tx, 'contributed', { app, contribution: 'undone' })
      throw new Error('rolled back')
    }),
    /rolled back/,
  )
  await database.transaction((tx) => events.emit(tx, 'contributed', { app, contribution: 'kept' }))
  while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  await jobs.idle()
  await jobs.close()
  assert.deepEqual(heard, ['kept'])
})
