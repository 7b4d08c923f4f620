/** A database as a sandbox: durable, without a network, and reached by others over a socket in a share. */
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SandboxSpec } from '../client/index.ts'
import { openTestSandbox, printed, runToEnd, spec } from '../testing.ts'

const sandbox = await openTestSandbox()
const { client } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const limits = { memoryBytes: 256 * 2 ** 20, pids: 64, cpuPercent: 100 }
const socket = { kind: 'share', id: 'd-app', at: '/run/postgresql' } as const
await client.volume({ id: 'd-app', owner: 'db-app', sizeBytes: 256 * 2 ** 20 })

const serve = `[ -e /data/cluster ] || { initdb -D /data/making -U app -A trust --locale=C.UTF-8 -E UTF8 >/dev/null &&
    mv /data/making /data/cluster; }
  exec postgres -D /data/cluster -c listen_addresses= -c unix_socket_directories=/run/postgresql`

const database = (id: string): SandboxSpec =>
  spec({
    id,
    image: 'postgres',
    owner: 'db-app',
    mounts: [{ kind: 'volume', id: 'd-app', at: '/data' }, socket],
    argv: ['sh', '-c', serve],
    limits,
  })

/** What psql of another sandbox, of another owner, prints. */
async function sql(text: string): Promise<string> {
  const wait = 'until pg_isready -q -h /run/postgresql; do sleep 0.05; done'
  const argv = ['sh', '-c', `${wait}; exec psql -X -At -h /run/postgresql -U app -d postgres -c "$SQL"`]
  const { out } = await runToEnd(
    client,
    spec({ id: 'query', image: 'postgres', owner: 'app', mounts: [socket], env: { SQL: text }, argv, limits }),
  )
  return out.trim()
}

test('a database without a network answers the sandboxes that have its share', { timeout: 300_000 }, async () => {
  await client.start(database('first'))
  assert.equal(await sql('create table note (id int primary key, text text)'), 'CREATE TABLE')
  assert.equal(await sql(`insert into note values (1, 'kept') returning text`), 'kept\nINSERT 0 1')
  assert.equal(await sql(`select lower('ÄÖ'), current_setting('server_version_num')::int >= 150000`), 'äö|t')
  const mine = await client.start(spec({ id: 'stranger', image: 'postgres', argv: ['sh', '-c', 'ls /run'] }))
  assert.equal((await client.wait({ id: mine.id, timeoutMs: 10_000 }))?.code, 0)
  assert.equal(printed(client, 'stranger'), '')
  await client.remove({ id: 'stranger' })
})

test('a frozen database answers when it is thawed, though sandboxd died twice meanwhile', async () => {
  await client.freeze({ id: 'first' })
  await sandbox.crash()
  const argv = ['sh', '-c', 'psql -X -At -h /run/postgresql -U app -d postgres -c "select text from note"; sleep 1000']
  await client.start(spec({ id: 'waiter', image: 'postgres', owner: 'app', mounts: [socket], argv, limits }))
  await sleep(500)
  assert.equal(printed(client, 'waiter'), '')
  await sandbox.crash()
  await client.thaw({ id: 'first' })
  const deadline = Date.now() + 10_000
  while (printed(client, 'waiter') === '' && Date.now() < deadline) await sleep(20)
  assert.equal(printed(client, 'waiter'), 'kept\n')
})

test('a database that was killed comes back under another id, in the share that its clients still have', async () => {
  await client.stop({ id: 'first', graceMs: 0 })
  await client.remove({ id: 'first' })
  await sandbox.crash()
  const { pid } = await client.start(database('second'))
  assert.equal(await sql('select text from note'), 'kept')
  // A socket and its lock file of the killed one were there, and are of the same user.
  const uid = /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  assert.equal(statSync(`/proc/${pid}/root/run/postgresql/.s.PGSQL.5432.lock`).uid, Number(uid))
  const stopped = await client.stop({ id: 'second', graceMs: 10_000 })
  assert.equal(stopped.exit?.signal ?? stopped.exit?.code, 0, printed(client, 'second').slice(-500))
  for (const id of ['second', 'waiter']) await client.remove({ id })
})

test('a share is gone with its last sandbox, and holds little', async () => {
  const fill = `dd if=/dev/zero of=/run/postgresql/x bs=64k count=64 2>&1 | grep -o 'No space left'; ls -a /run/postgresql`
  const argv = ['sh', '-c', fill]
  assert.equal(
    (await runToEnd(client, spec({ id: 'filler', owner: 'app', mounts: [socket], argv }))).out,
    'No space left\n.\n..\nx\n',
  )
  const look = ['sh', '-c', 'ls /run/postgresql | wc -l']
  assert.equal((await runToEnd(client, spec({ id: 'look', mounts: [socket], argv: look }))).out, '0\n')
})
