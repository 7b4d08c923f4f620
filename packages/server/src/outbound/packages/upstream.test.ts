import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import test from 'node:test'
import { gzipSync } from 'node:zlib'
import { refuse } from '@perennial/protocol'
import { openTestRegistry } from '../testing/door.ts'
import { openUpstream, UpstreamFailed } from './upstream.ts'

const ask = { accept: '*/*', timeoutMs: 10_000, packed: true }

/** Asks a registry that answers so, and reads all of it. */
async function read(
  answer: (req: IncomingMessage, res: ServerResponse) => void,
  { silenceMs = 10_000, timeoutMs = 10_000, packed = true, mostBytes = 2 ** 20 } = {},
): Promise<Buffer> {
  await using registry = await openTestRegistry(answer)
  const upstream = openUpstream(registry, async () => refuse('request-declined/policy', 'It is elsewhere.'), {
    silenceMs,
  })
  try {
    const found = await upstream.get('x', { ...ask, timeoutMs, packed })
    const chunks: Buffer[] = []
    for await (const chunk of found.chunks(mostBytes)) chunks.push(chunk)
    return Buffer.concat(chunks)
  } finally {
    upstream.close()
  }
}

async function fails(why: RegExp, ...how: Parameters<typeof read>): Promise<void> {
  const from = performance.now()
  await assert.rejects(read(...how), (error: Error) => {
    assert.ok(error instanceof UpstreamFailed, String(error))
    assert.match(error.message, why)
    return true
  })
  assert.ok(performance.now() - from < 5000)
}

test('a registry that never answers, or falls silent in the middle, is given up', async () => {
  await fails(/did not answer: it was silent for 0\.2 s/, () => undefined, { silenceMs: 200 })
  await fails(/stopped answering/, (_req, res) => void res.writeHead(200).write('a'), { silenceMs: 200 })
})

test('a registry that sends a little now and then has so long and no longer', async () => {
  const timers: NodeJS.Timeout[] = []
  await fails(/stopped answering/, (_req, res) => void timers.push(setInterval(() => res.write('a'), 20)), {
    timeoutMs: 500,
  })
  for (const timer of timers) clearInterval(timer)
})

test('an endless body is read to the limit, a packed one as far as it unpacks', async () => {
  const endless = (_req: IncomingMessage, res: ServerResponse) => {
    const more = () => void (!res.destroyed && res.write(Buffer.alloc(2 ** 16), () => setImmediate(more)))
    more()
  }
  await fails(/sent more than 1 MiB/, endless)
  const bomb = gzipSync(Buffer.alloc(2 ** 26))
  const packed = { 'content-encoding': 'gzip' }
  await fails(/sent more than 1 MiB/, (_req, res) => void res.writeHead(200, packed).end(bomb))
  const small = await read((_req, res) => void res.writeHead(200, packed).end(gzipSync('hello')))
  assert.equal(small.toString(), 'hello')
})

test('a body that breaks off, is packed badly or in a way that was not asked for is an error', async () => {
  await fails(/stopped answering/, (_req, res) => {
    res.writeHead(200, { 'content-length': 100 }).write('half')
    setTimeout(() => res.destroy(), 50)
  })
  const gzip = { 'content-encoding': 'gzip' }
  await fails(/stopped answering/, (_req, res) => void res.writeHead(200, gzip).end('not packed'))
  await fails(
    /stopped answering/,
    (_req, res) => void res.writeHead(200, gzip).end(gzipSync('cut short').subarray(0, 12)),
  )
  await fails(/packed as gzip/, (_req, res) => void res.writeHead(200, gzip).end(gzipSync('a')), { packed: false })
  await fails(/packed as br/, (_req, res) => void res.writeHead(200, { 'content-encoding': 'br' }).end('a'))
})

test('redirects end, lead to addresses, and elsewhere only through the check', async () => {
  const to = (location: string) => (_req: IncomingMessage, res: ServerResponse) =>
    void res.writeHead(302, { location }).end()
  await fails(/redirects more than 3 times/, to('/again'))
  await fails(/not an address/, to('http://[half'))
  await fails(/leads to other\.example: It is elsewhere\./, to('https://other.example/x'))
  await fails(/asked without encryption/, to('http://other.example/x'))
  await fails(/asked without encryption/, to('file:///etc/passwd'))
  await fails(/asked without encryption/, to('https://user:word@other.example/x'))
})

test('headers without end are not read', async () => {
  await fails(/did not answer/, (_req, res) => void res.writeHead(200, { 'x-long': 'a'.repeat(20_000) }).end('a'))
})
