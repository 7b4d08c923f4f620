import fc from 'fast-check'
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat, chmod, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { readEvents } from './events.ts'
import { dial, loadKey } from './node.ts'

const SCALE = Number(process.env['TEST_SCALE'] ?? 1)

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'perennial-client-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

test('a key is made once, stays the same, and only its owner can read it', async () => {
  await using home = await folder()
  const path = join(home.path, 'keys', 'me')
  const keys = await Promise.all(Array.from({ length: 8 }, () => loadKey(path)))
  assert.equal(new Set(keys.map(({ did }) => did)).size, 1)
  assert.equal((await loadKey(path)).did, keys[0]!.did)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(join(home.path, 'keys')), ['me'])
})

test('a key that others can read is refused, with the command that mends it', async () => {
  await using home = await folder()
  const path = join(home.path, 'me')
  await loadKey(path)
  await chmod(path, 0o644)
  await assert.rejects(loadKey(path), new RegExp(`run chmod 600 ${path}`))
})

test('a file that is no key is never written over', async () => {
  await using home = await folder()
  const path = join(home.path, 'me')
  await writeFile(path, 'my notes', { mode: 0o600 })
  await assert.rejects(loadKey(path), /is not a key file/)
})

test('an app at *.localhost is reached at 127.0.0.1 under its own name', async () => {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      response.setHeader('x-twice', ['a', 'b'])
      response.end(`${request.method} ${request.headers.host} ${Buffer.concat(chunks).toString()}`)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    const answer = await dial(`http://hello--octo.localhost:${port}/x`, { method: 'POST', body: 'payload' })
    assert.equal(await answer.text(), `POST hello--octo.localhost:${port} payload`)
    assert.equal(answer.headers.get('x-twice'), 'a, b')
    assert.equal(await (await dial(`http://127.0.0.1:${port}/`)).text(), `GET 127.0.0.1:${port} `)
  } finally {
    server.close()
  }
})

/** The stream's own `from` is not in every browser's types. */
function streamOf(chunks: Iterable<Uint8Array>): ReadableStream<Uint8Array> {
  return Readable.toWeb(Readable.from(chunks)) as ReadableStream<Uint8Array>
}

const EVENTS = ': hello\n\nid: 1\ndata: one\ndata: two\n\nevent: line\r\ndata:three\r\n\r\ndata: cut short'

test('events are read the same however the network cuts them', async () => {
  const bytes = new TextEncoder().encode(EVENTS)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: bytes.length })), async (cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length]
      const stream = streamOf(edges.slice(1).map((end, i) => bytes.slice(edges[i], end)))
      const events = await Array.fromAsync(readEvents(stream))
      assert.deepEqual(events, [
        { id: '1', event: 'message', data: 'one\ntwo' },
        { id: '1', event: 'line', data: 'three' },
      ])
    }),
    { numRuns: 50 * SCALE },
  )
})

test('a stream that never ends a line does not fill the memory', async () => {
  const endless = streamOf(
    (function* () {
      for (;;) yield new Uint8Array(65_536).fill(97)
    })(),
  )
  await assert.rejects(Array.fromAsync(readEvents(endless)), /longer than/)
})
