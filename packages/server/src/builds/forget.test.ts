import assert from 'node:assert/strict'
import test from 'node:test'
import { newId } from '@perennial/protocol'
import type { Database } from '../database.ts'
import { serverDatabase } from '../testing.ts'
import { forgetDeployments } from './queries/forget.ts'

const DAY_MS = 86_400_000
const NOW = new Date('2026-11-21T08:00:00Z')
const daysAgo = (days: number) => new Date(NOW.getTime() - days * DAY_MS)

test('old deployments are forgotten: not the newest hundred, not one whose image is kept, not one that goes on', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  const app = await insertApp(database)
  const kept = await insertDeployment(database, app, { status: 'replaced', days: 500, release: 'kept' })
  const runs = await insertDeployment(database, app, { status: 'running', days: 450 })
  const gone = [
    await insertDeployment(database, app, { status: 'replaced', days: 400, release: 'removed' }),
    await insertDeployment(database, app, { status: 'failed', days: 300 }),
  ]
  const recent = await insertDeployment(database, app, { status: 'failed', days: 80 })
  const newest: string[] = []
  for (let turn = 0; turn < 100; turn++)
    newest.push(await insertDeployment(database, app, { status: 'failed', days: 79, ended: 200 }))
  await forgetDeployments(database, NOW)
  const left = new Set((await database.query<{ id: string }>('select id from deployment')).map(({ id }) => id))
  assert.deepEqual(left, new Set([kept, runs, recent, ...newest]))
  for (const table of ['deployment_step', 'release', 'build_sandbox'])
    assert.deepEqual(await database.query(`select from ${table} where deployment = any($1)`, [gone]), [], table)
})

test('what the kernel counted of single sandboxes is forgotten after a month, the cost of their steps is not', async () => {
  await using opened = await serverDatabase()
  const { database } = opened
  const app = await insertApp(database)
  const old = await insertDeployment(database, app, { status: 'failed', days: 40 })
  const recent = await insertDeployment(database, app, { status: 'failed', days: 20 })
  await forgetDeployments(database, NOW)
  const left = await database.query<{ deployment: string }>('select deployment from build_sandbox')
  assert.deepEqual(left, [{ deployment: recent }])
  const costs = await database.query('select cost from deployment_step where deployment = $1', [old])
  assert.deepEqual(costs, [{ cost: 7n }])
})

async function insertApp(database: Database): Promise<string> {
  const id = newId()
  await database.query(
    `insert into app (id, slug, url, forge, owner, name, created_at, state, state_since)
     values ($1, 'a--o', 'https://forge.example/o/a', 'forge.example', 'o', 'a', $2, 'funded', $2)`,
    [id, daysAgo(600)],
  )
  return id
}

let number = 0
async function insertDeployment(
  database: Database,
  app: string,
  one: { status: string; days: number; ended?: number; release?: 'kept' | 'removed' },
): Promise<string> {
  const id = newId()
  const at = daysAgo(one.days)
  await database.query(
    `insert into deployment (id, app, status, ceiling, attempt, created_at, ended_at) values ($1, $2, $3, 0, 1, $4, $5)`,
    [id, app, one.status, at, daysAgo(one.ended ?? one.days)],
  )
  await database.query(
    `insert into deployment_step (deployment, name, status, detail, cost) values ($1, 'fetch', 'done', '', 7)`,
    [id],
  )
  await database.query(
    `insert into build_sandbox (id, deployment, attempt, step, cpu_ns, started_at, removed_at) values ($1, $2, 1, 'fetch', 1, $3, $3)`,
    [`b-${id}`, id, at],
  )
  if (one.release)
    await database.query(
      `insert into release (deployment, app, number, sha256, size_bytes, commit, plan, receipt, built_at, removed_at)
       values ($1, $2, $3, $4, 1, 'c', '{}', '{}', $5, $6)`,
      [id, app, ++number, one.release, at, one.release === 'removed' ? at : null],
    )
  return id
}
