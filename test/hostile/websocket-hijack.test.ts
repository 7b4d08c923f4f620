import './lab/empty-network.ts'
import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { echoing, openTown, strangeTo } from './lab/town.ts'
import type { Resident, Town } from './lab/town.ts'

/** An upgrade opens a pipe past the gateway: it must end where it was agreed, and be none where it was not. */
let town: Town
let agreeing: Resident
let refusing: Resident
let lying: Resident
let other: Resident
before(async () => {
  town = await openTown()
  agreeing = await town.settle(
    'agreeing',
    piping(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
    ),
  )
  refusing = await town.settle('refusing', piping('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n'))
  lying = await town.settle('lying', piping('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
  other = await town.settle('other', echoing('other'))
})
after(() => town[Symbol.asyncDispose]())

/** Answers whatever comes first with \`answer\`, then prints all that comes after it. */
const piping = (answer: string) => `
require('node:net').createServer((socket) => {
  socket.once('data', () => {
    socket.write(${JSON.stringify(answer)})
    socket.on('data', (data) => console.log('then ' + JSON.stringify(String(data))))
  })
  socket.on('error', () => socket.destroy())
}).listen(8080, () => console.log('open'))`

const upgrade = (host: string, to = 'websocket') =>
  `GET / HTTP/1.1\r\nHost: ${host}\r\nUpgrade: ${to}\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`
const next = 'GET /next HTTP/1.1\r\nHost: other.localhost\r\nConnection: close\r\n\r\n'

test('after an upgrade that the app declined, the next request on the connection goes where its own host says', async () => {
  const answer = await town.send(upgrade(refusing.host) + next)
  assert.match(answer, /^HTTP\/1.1 426/)
  assert.match(answer, /other \/next/)
  await other.heard(' /next ')
  assert.doesNotMatch(refusing.said(), /next/)
  assert.deepEqual(strangeTo(other), [])
})

test('what is not an upgrade is no pipe, whatever the app answers', async () => {
  for (const bytes of [
    `GET / HTTP/1.1\r\nHost: ${lying.host}\r\n\r\n`,
    upgrade(lying.host, 'h2c'),
    upgrade(lying.host, 'TLS/1.0'),
  ])
    await town.send(bytes + next)
  await town.send(next.replace('/next', '/last'))
  await other.heard(' /last ')
  assert.doesNotMatch(lying.said(), /other\.localhost/)
  assert.deepEqual(strangeTo(other), [])
})

test('control: after one that was agreed, what follows reaches that app, and nobody else', async () => {
  await town.send(upgrade(agreeing.host) + next)
  await agreeing.heard('other.localhost')
  assert.doesNotMatch(other.said(), /asked GET \/next other\.localhost none/)
})
