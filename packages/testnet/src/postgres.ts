/**
 * A real PostgreSQL database of its own for each test, cloned from a template in some 50 ms.
 *
 *     await using database = await testDatabase({ name: 'ledger', migrate: migrateLedger, sources: [ledgerSql] })
 *     await database.pool.query('select …')
 *
 * All databases live in one cluster per user, `/dev/shm/perennial-test-<uid>/pg` (or the same below /tmp, where there is
 * little memory), or in the one that `TEST_POSTGRES_URL` names. Imports nothing of ours: every package's tests may use it.
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { sharedCluster } from './cluster.ts'

export { binary, startCluster, type Cluster, type ClusterOptions } from './cluster.ts'

export interface Template {
  name: string
  /** Brings an empty database to the state that each clone starts from. */
  migrate: (client: pg.Client) => Promise<unknown>
  /** SQL files or folders that `migrate` runs. With them the template is kept between runs until one changes; without, it is made once per process. */
  sources?: readonly (string | URL)[]
}

export interface TestDatabase {
  /** As superuser; understood by pg and by psql. */
  url: string
  pool: pg.Pool
  /** Closes the pool and drops the database, whoever is still connected. */
  [Symbol.asyncDispose](): Promise<void>
}

export async function testDatabase(template?: Template): Promise<TestDatabase> {
  const server = await (cluster ??= openCluster())
  const source = template && (await (templates.get(template) ?? remember(template, build(server, template))))
  const name = `test_${process.pid}_${randomBytes(6).toString('hex')}`
  await maintain(server, (client) => client.query(`create database ${name} ${source ? `template ${source}` : ''}`))
  const url = withDatabase(server, name)
  const pool = new pg.Pool({ connectionString: url, max: 16 })
  pool.on('error', () => undefined) // An idle connection that a test cut; the next query opens another.
  return {
    url,
    pool,
    async [Symbol.asyncDispose]() {
      await pool.end()
      await maintain(server, (client) => client.query(`drop database if exists ${name} with (force)`))
    },
  }
}

/** A clone costs the disk 16 MiB, hundreds of which are most of what tests of the database would wait for. */
const MEMORY = '/dev/shm'
const ENOUGH_BYTES = 2 * 2 ** 30

let cluster: Promise<string> | undefined
const templates = new Map<Template, Promise<string>>()

async function openCluster(): Promise<string> {
  const url = process.env['TEST_POSTGRES_URL'] ?? (await sharedCluster(sharedFolder()))
  await maintain(url, sweep)
  return url
}

function sharedFolder(): string {
  const name = `perennial-test-${userInfo().uid}`
  const inMemory = existsSync(join(MEMORY, name)) || (existsSync(MEMORY) && freeBytes(MEMORY) >= ENOUGH_BYTES)
  return join(inMemory ? MEMORY : '/tmp', name, 'pg')
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

function remember(template: Template, building: Promise<string>): Promise<string> {
  templates.set(template, building)
  return building
}

/** Returns the template's database, made by whoever comes first; the others wait for its lock. */
async function build(server: string, { name, migrate, sources }: Template): Promise<string> {
  const hash = createHash('sha256').update(name).update(migrate.toString())
  for (const source of sources ?? []) hashInto(hash, typeof source === 'string' ? source : fileURLToPath(source))
  const key = hash.digest('hex').slice(0, 16)
  const database = sources ? `template_${key}` : `test_${process.pid}_template_${key}`
  await maintain(server, async (client) => {
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [database])
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database])
    if (rowCount) return
    // Made under another name: a template that was killed half-way is never mistaken for a whole one.
    await client.query(`drop database if exists ${database}_new with (force)`)
    await client.query(`create database ${database}_new`)
    await maintain(withDatabase(server, `${database}_new`), migrate)
    await client.query(`alter database ${database}_new rename to ${database}`)
  })
  return database
}

function hashInto(hash: ReturnType<typeof createHash>, path: string): void {
  if (statSync(path).isDirectory()) {
    for (const entry of readdirSync(path).toSorted()) hashInto(hash, join(path, entry))
  } else {
    hash.update(path).update('\0').update(readFileSync(path)).update('\0')
  }
}

/** Drops what killed test processes left behind. */
async function sweep(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ datname: string }>(
    `select datname from pg_database where datname like 'test\\_%'`,
  )
  for (const { datname } of rows) {
    if (!existsSync(`/proc/${datname.split('_')[1]}`))
      await client.query(`drop database if exists ${datname} with (force)`)
  }
}

async function maintain<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

function withDatabase(server: string, name: string): string {
  return server.replace(/\/[^/?]*(?=\?|$)/, `/${name}`)
}
