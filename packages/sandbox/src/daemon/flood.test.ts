/** What a client can do to the daemon by sending much, reading nothing and coming back. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openTestSandbox, spec } from '../testing.ts'
import { instance } from './instance.ts'
import { listen, socketPath } from './server.ts'
import type { Handlers } from './verbs.ts'

const mebibyte = 2 ** 20
const sandbox = await openTestSandbox()
const { client, daemon } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

/** A connection on which nothing is read until somebody does. */
function silent(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket)).on('error', reject)
    socket.pause()
  })
}

const line = (request: object) => `${JSON.stringify(request)}\n`

test('who does not read answers is not asked for more, and gets every answer once it reads', async () => {
  const socket = await silent(daemon.socket)
  // Each is refused with words about as long as itself.
  const request = line({ id: 1, verb: 'list', input: { ['x'.repeat(4000)]: 1 } })
  const count = (64 * mebibyte) / 4096
  let taken = 0
  // One at a time: what is written together is done together.
  const send = () => void socket.write(request, () => ++taken < count && send())
  send()
  for (let before = -1; before !== taken; await sleep(1000)) before = taken
  assert.ok(taken < count / 8, `the daemon took ${taken} requests of ${count}`)
  assert.deepEqual(await client.list(), [])
  let answers = 0
  socket.setEncoding('utf8').on('data', (text: string) => (answers += text.split('\n').length - 1))
  socket.resume()
  for (const deadline = Date.now() + 60_000; answers < count && Date.now() < deadline;) await sleep(20)
  assert.equal(answers, count)
  socket.destroy()
})

test('who lets answers pile up beyond all bounds is cut off', async () => {
  // Answers of a size that would take thousands of sandboxes.
  const sandboxes = [{ id: 'x'.repeat(mebibyte), state: 'exited', address: '', pid: 0, startedAt: 0 } as const]
  await using server = await serving({ list: async () => sandboxes })
  const socket = await silent(server.socket)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  for (let id = 0; id < 100; id++) socket.write(line({ id, verb: 'list', input: {} }))
  await sleep(500)
  socket.resume()
  await closed
  assert.ok(socket.bytesRead < 99 * mebibyte, `${socket.bytesRead} bytes came`)
})

test('requests of connections that were closed count until they are done', async () => {
  let underWay = 0
  let most = 0
  await using server = await serving({
    async list() {
      most = Math.max(most, ++underWay)
      await sleep(500)
      underWay--
      return []
    },
  })
  for (let i = 0; i < 10; i++) {
    const socket = await silent(server.socket)
    for (let id = 0; id < 200; id++) socket.write(line({ id, verb: 'list', input: {} }))
    await sleep(20)
    socket.destroy()
  }
  assert.ok(most > 100 && most <= 256, `${most} were under way at once`)
})

/** The daemon's socket with these answers behind it. */
async function serving(handlers: Partial<Handlers>): Promise<{ socket: string } & AsyncDisposable> {
  const root = mkdtempSync('/var/tmp/perennial-flood-')
  const at = instance({ root, uid: 0, gid: 0, subnet: '10.0.0.0/16', images: join(root, 'images') })
  const server = await listen(at, handlers as Handlers)
  return {
    socket: socketPath({ root }),
    async [Symbol.asyncDispose]() {
      server.close()
      rmSync(root, { recursive: true })
    },
  }
}

test('waiting for many sandboxes at once holds up nothing else', async () => {
  await client.start(spec({ id: 'long', argv: ['sleep', '1000'] }))
  const waiting = Array.from({ length: 600 }, () => client.wait({ id: 'long', timeoutMs: 600_000 }))
  const started = Date.now()
  assert.equal((await client.list()).length, 1)
  assert.ok(Date.now() - started < 5000)
  await client.stop({ id: 'long', graceMs: 0 })
  assert.ok((await Promise.all(waiting)).every((exit) => exit?.signal === 'SIGKILL'))
  await client.remove({ id: 'long' })
})
