import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { openTestSandbox, spec } from '../testing.ts'
import { sandboxClient, SandboxUnavailable } from './index.ts'

test('calls that were under way when the daemon died are answered by the next one', async () => {
  await using sandbox = await openTestSandbox()
  const { client } = sandbox
  await client.start(spec({ id: 'slow', argv: ['sh', '-c', 'sleep 3; exit 4'] }))
  const waiting = client.wait({ id: 'slow', timeoutMs: 60_000 })
  await sandbox.crash()
  assert.equal((await waiting)?.code, 4)
  assert.equal((await client.list())[0]?.state, 'exited')
})

test('many calls at once are each answered with their own result', async () => {
  await using sandbox = await openTestSandbox()
  const { client } = sandbox
  const ids = Array.from({ length: 8 }, (_, i) => `s${i}`)
  const started = await Promise.all(ids.map((id) => client.start(spec({ id, argv: ['sleep', '1000'] }))))
  assert.deepEqual(
    started.map(({ id }) => id),
    ids,
  )
  assert.equal(new Set(started.map(({ address }) => address)).size, ids.length)
  const readings = await Promise.all(Array.from({ length: 300 }, () => client.read()))
  assert.ok(readings.every((each) => each.length === ids.length))
  await Promise.all(ids.map((id) => client.remove({ id })))
  assert.deepEqual(await client.list(), [])
})

test('a closed client says so, also to who is waiting', async () => {
  const client = sandboxClient({ socket: '/nonexistent/sandboxd.sock' })
  const waiting = client.list()
  client.close()
  await assert.rejects(waiting, SandboxUnavailable)
  await assert.rejects(client.list(), SandboxUnavailable)
})

test('an answer that was torn is asked for again on another connection', async () => {
  const folder = mkdtempSync('/tmp/perennial-client-')
  const socket = join(folder, 'sandboxd.sock')
  let connections = 0
  const server = createServer((peer) => {
    const isFirst = ++connections === 1
    peer.on('data', () => peer.write(isFirst ? '{"id":1,"res\n' : '{"id":1,"result":[]}\n'))
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  const client = sandboxClient({ socket })
  try {
    assert.deepEqual(await client.list(), [])
    assert.equal(connections, 2)
  } finally {
    client.close()
    server.close()
    rmSync(folder, { recursive: true })
  }
})
