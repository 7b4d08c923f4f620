import './lab/empty-network.ts'
import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import test, { after, before } from 'node:test'
import { echoing, openTown, strangeTo } from './lab/town.ts'
import type { Resident, Town } from './lab/town.ts'

/**
 * Requests that end at one place for the gateway and at another for the app behind it: what follows would be read as
 * the next visitor's. Each is tried at an app that is awake; apps must see whole requests, for themselves alone.
 */
let town: Town
let first: Resident
let second: Resident
before(async () => {
  town = await openTown()
  first = await town.settle('first', echoing('first'))
  second = await town.settle('second', echoing('second'))
})
after(() => town[Symbol.asyncDispose]())

const hidden = 'GET /hidden HTTP/1.1\r\nHost: second.localhost\r\n\r\n'
const chunked = (more: string) => `0\r\n\r\n${more}`
const post = (headers: string, body: string) => `POST / HTTP/1.1\r\nHost: first.localhost\r\n${headers}\r\n\r\n${body}`
const length = (text: string) => `Content-Length: ${text.length}`

/** Disagreements about where a body ends, each by its own means. */
const tricks: Record<string, string> = {
  'a length and chunks': post(`${length(chunked(hidden))}\r\nTransfer-Encoding: chunked`, chunked(hidden)),
  'chunks and a shorter length': post('Transfer-Encoding: chunked\r\nContent-Length: 4', chunked(hidden)),
  'two lengths': post(`Content-Length: 0\r\n${length(hidden)}`, hidden),
  'two lengths in one': post(`Content-Length: 0, ${hidden.length}`, hidden),
  'a length with a sign': post(`Content-Length: +${hidden.length}`, hidden),
  'a length with a tab': post(`Content-Length:\t${hidden.length}\t`, hidden),
  'a length of hexadecimal digits': post('Content-Length: 0x2f', hidden),
  'a negative length': post('Content-Length: -1', hidden),
  'an immense length': post('Content-Length: 18446744073709551616', hidden),
  'a blank before the colon': post('Transfer-Encoding : chunked', chunked(hidden)),
  'a blank before the name': post(' Transfer-Encoding: chunked', chunked(hidden)),
  'a folded line': post('X: y\r\n Transfer-Encoding: chunked', chunked(hidden)),
  'an unknown coding': post('Transfer-Encoding: xchunked', chunked(hidden)),
  'a coding in quotes': post('Transfer-Encoding: "chunked"', chunked(hidden)),
  'a coding twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', chunked(hidden)),
  'a coding with a strange blank': post('Transfer-Encoding:\vchunked', chunked(hidden)),
  'a coding with an underscore': post('Transfer_Encoding: chunked', chunked(hidden)),
  'a coding that the next hop is to drop': post(
    'Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked',
    chunked(hidden),
  ),
  'a length that the next hop is to drop': post(`Connection: Content-Length\r\n${length(hidden)}`, hidden),
  'a coding after a bare line feed': post('X: y\nTransfer-Encoding: chunked', chunked(hidden)),
  'a coding after a bare return': post('X: y\rTransfer-Encoding: chunked', chunked(hidden)),
  'a NUL in a header': post('X: y\0\r\nTransfer-Encoding: chunked', chunked(hidden)),
  'a chunk with an extension': post('Transfer-Encoding: chunked', `0;x="\r\n\r\n${hidden}`),
  'a chunk that ends with a line feed': post('Transfer-Encoding: chunked', `0\n\n${hidden}`),
  'a chunk size that is too long': post('Transfer-Encoding: chunked', `fffffffffffffffff0\r\n${hidden}`),
  'a chunk size with a sign': post('Transfer-Encoding: chunked', `+0\r\n\r\n${hidden}`),
  'a trailer that is a header': post('Transfer-Encoding: chunked', `0\r\nHost: second.localhost\r\n\r\n${hidden}`),
  'a wait for permission': post(`Expect: 100-continue\r\n${length(hidden)}`, hidden),
  'chunks in HTTP/1.0': `POST / HTTP/1.0\r\nHost: first.localhost\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(hidden)}`,
  'no version at all': `GET / \r\nHost: first.localhost\r\n\r\n${hidden}`,
  'a GET with a body': `GET / HTTP/1.1\r\nHost: first.localhost\r\n${length(hidden)}\r\n\r\n${hidden}`,
  'an upgrade to HTTP/2': post(
    `Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk`,
    hidden,
  ),
  'HTTP/2 from the start': `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`,
  'a tunnel': `CONNECT second.localhost:80 HTTP/1.1\r\nHost: first.localhost\r\n\r\n${hidden}`,
  'another way for what the next hop adds': post(
    'Connection: X-Request-Id, X-Forwarded-For, Host\r\nContent-Length: 0',
    '',
  ),
}

const visitBoth = async (path: string) => {
  for (const [app, name] of [
    [first, 'first'],
    [second, 'second'],
  ] as const) {
    const answer = await town.send(`GET ${path} HTTP/1.1\r\nHost: ${app.host}\r\nConnection: close\r\n\r\n`)
    assert.match(answer, new RegExp(`^HTTP/1.1 200[^]*\n${name} ${path}\n`), answer)
    await app.heard(` ${path} `)
  }
}

test('no request hides in another: apps see whole requests for themselves, and every visitor gets his own answer', async () => {
  await visitBoth('/before')
  for (const [trick, bytes] of Object.entries(tricks)) {
    await Promise.all([town.send(bytes, { quietMs: 150 }), town.send(bytes, { quietMs: 150 })])
    assert.deepEqual([...strangeTo(first), ...strangeTo(second)], [], trick)
  }
  await visitBoth('/after')
  assert.deepEqual([...strangeTo(first), ...strangeTo(second)], [])
})

test('control: behind a gateway that looks at the first request of a connection alone, they do hide', async () => {
  const careless = createServer((client) => {
    const app = connect({ host: first.address, port: 8080 })
    client.pipe(app).pipe(client)
    for (const socket of [client, app]) socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => careless.listen(0, '127.0.0.1', resolve))
  const { port } = careless.address() as AddressInfo
  for (const bytes of Object.values(tricks)) {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => socket.destroy()).resume()
    socket.end(bytes, 'latin1')
    await new Promise((resolve) => socket.on('close', resolve))
  }
  careless.close()
  assert.ok(
    strangeTo(first).some((line) => line.includes('/hidden second.localhost')),
    'none of them came through',
  )
})
