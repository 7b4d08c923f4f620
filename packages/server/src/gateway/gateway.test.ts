import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '@perennial/protocol'
import { raw, testApp, testGateway, visit } from './testing.ts'

test('the node and its apps share one port, and each host name reaches its own', async () => {
  await using site = await testGateway()
  await using photos = await testApp('photos')
  await using tickets = await testApp('tickets')
  const { gateway, port } = site
  await gateway.route({ app: newId(), host: 'photos--ann.localhost', address: '127.0.0.1', port: photos.port })
  await gateway.route({ app: newId(), host: 'tickets--ann.localhost', address: '127.0.0.1', port: tickets.port })
  assert.equal((await visit(port, `127.0.0.1:${port}`, { path: '/apps' })).text, 'node /apps')
  assert.equal((await visit(port, 'localhost')).text, 'node /')
  assert.equal((await visit(port, `photos--ann.localhost:${port}`)).text, 'photos')
  assert.equal((await visit(port, 'Tickets--Ann.LOCALHOST')).text, 'tickets')
})

test('a host that is neither the node nor below the apps domain gets 421, whatever it looks like', async () => {
  await using site = await testGateway()
  const strangers = [
    'evil.example', 'photos.localhost.evil.example', 'evillocalhost', '.localhost', 'a.b.localhost', '127.0.0.2',
    'photos.localhost.', '-photos.localhost', 'photos_1.localhost', '[::1]', '127.0.0.1.', '0', '2130706433',
  ] // prettier-ignore
  for (const host of strangers) assert.equal((await visit(site.port, host)).status, 421, host)
  for (const none of [
    'GET / HTTP/1.0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost:\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: :8080\r\n\r\n',
  ])
    assert.match(await raw(site.port, none), /^HTTP\/1\.1 421/)
})

test('each request of a kept-alive connection goes where its own Host says', async () => {
  await using site = await testGateway()
  await using photos = await testApp('photos')
  const { gateway, port } = site
  await gateway.route({ app: newId(), host: 'photos.localhost', address: '127.0.0.1', port: photos.port })
  const get = (host: string, more = '') => `GET / HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`
  const answers = await raw(
    port,
    get('photos.localhost') +
      get('127.0.0.1') +
      get('evil.example') +
      get('photos.localhost') +
      get('nobody.localhost', 'Connection: close\r\n'),
  )
  const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])
  assert.deepEqual(statuses, ['200', '200', '421', '200', '404'])
  assert.deepEqual(answers.match(/photos|node \//g), ['photos', 'node /', 'photos'])
})

test('a request that names two hosts is refused, not routed by one and understood by the other', async () => {
  await using site = await testGateway()
  await using photos = await testApp('photos')
  await site.gateway.route({ app: newId(), host: 'photos.localhost', address: '127.0.0.1', port: photos.port })
  const twice = await raw(site.port, 'GET / HTTP/1.1\r\nHost: photos.localhost\r\nHost: 127.0.0.1\r\n\r\n')
  assert.match(twice, /^HTTP\/1\.1 400/)
  const absolute = await raw(site.port, 'GET http://photos.localhost/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
  assert.match(absolute, /^HTTP\/1\.1 400/)
  const smuggled = await raw(
    site.port,
    'POST / HTTP/1.1\r\nHost: photos.localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
  )
  assert.doesNotMatch(smuggled, /node \//)
})

test('apps see who asked from HAProxy alone: what a client says in its place is dropped', async () => {
  await using site = await testGateway()
  await using echo = await testApp((incoming, response) => response.end(JSON.stringify(incoming.headers)))
  const app = newId()
  await site.gateway.route({ app, host: 'echo.localhost', address: '127.0.0.1', port: echo.port })
  const { text } = await visit(site.port, `echo.localhost:${site.port}`, {
    headers: {
      'x-forwarded-for': '6.6.6.6',
      'X-Forwarded-Proto': 'https',
      'x-forwarded-user': 'admin',
      x_forwarded_for: '6.6.6.6',
      forwarded: 'for=6.6.6.6',
      'x-real-ip': '6.6.6.6',
      'x-perennial-app': newId(),
      'x-request-id': 'chosen',
      'accept-language': 'de',
    },
  })
  const headers = JSON.parse(text) as Record<string, string>
  assert.equal(headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(headers['x-forwarded-proto'], 'http')
  assert.equal(headers['x-forwarded-host'], `echo.localhost:${site.port}`)
  assert.equal(headers['x-perennial-app'], app)
  assert.match(headers['x-request-id']!, /^[0-9a-f-]{36}$/)
  assert.equal(headers['accept-language'], 'de')
  for (const name of ['x-forwarded-user', 'x_forwarded_for', 'forwarded', 'x-real-ip'])
    assert.equal(headers[name], undefined, name)
})

test(
  'headers longer than 14 KB are refused, and a client that never finishes them is cut off',
  { timeout: 20_000 },
  async () => {
    await using site = await testGateway()
    assert.equal((await visit(site.port, '127.0.0.1', { headers: { padding: 'x'.repeat(15_000) } })).status, 400)
    assert.equal((await visit(site.port, '127.0.0.1', { headers: { padding: 'x'.repeat(10_000) } })).status, 200)
    const slow = await raw(site.port, 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n', 15_000)
    assert.match(slow, /^HTTP\/1\.1 408/)
  },
)

test('an app gets only so many requests at once; the next one is told to come again', async () => {
  const { promise: answer, resolve } = Promise.withResolvers<void>()
  await using site = await testGateway({ perApp: 3 })
  await using app = await testApp((_incoming, response) => void answer.then(() => response.end('done')))
  await site.gateway.route({ app: newId(), host: 'a.localhost', address: '127.0.0.1', port: app.port })
  const waiting = Array.from({ length: 3 }, () => visit(site.port, 'a.localhost'))
  while ((await site.gateway.counts())[0]?.inFlight !== 3) await sleep(10)
  const refused = await visit(site.port, 'a.localhost')
  assert.equal(refused.status, 429)
  assert.equal(refused.headers['retry-after'], '5')
  assert.equal((await visit(site.port, '127.0.0.1')).status, 200)
  resolve()
  for (const one of await Promise.all(waiting)) assert.equal(one.text, 'done')
})

test('one client address gets only so many connections, whatever it does with them', async () => {
  await using site = await testGateway({ perClient: { connections: 5 } })
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const from = own.find(({ family, internal }) => family === 'IPv4' && !internal)?.address
  assert.ok(from, 'this machine has no address but loopback')
  const sockets: Socket[] = []
  let closed = 0
  for (let index = 0; index < 8; index++) {
    const socket = connect({ port: site.port, host: '127.0.0.1', localAddress: from })
    socket.on('error', () => undefined)
    socket.on('close', () => closed++)
    sockets.push(socket)
  }
  while (closed < 3) await sleep(10)
  await sleep(50)
  assert.equal(closed, 3)
  assert.equal((await visit(site.port, '127.0.0.1')).status, 200)
  for (const socket of sockets) socket.destroy()
})

test('a name that could carry a command is never told to HAProxy', async () => {
  await using site = await testGateway()
  const { gateway } = site
  const good = { app: newId(), host: 'a.localhost', address: '127.0.0.1', port: 80 }
  const bad = [
    { ...good, host: 'a.localhost;shutdown sessions' }, { ...good, host: 'a.localhost\nset map' }, { ...good, host: 'A.localhost' },
    { ...good, host: 'a b' }, { ...good, host: '' }, { ...good, app: 'x;y' }, { ...good, app: `${newId()}\n` },
    { ...good, address: '127.0.0.1 backup' }, { ...good, address: '/tmp/socket' }, { ...good, address: '999.1.1.1' },
    { ...good, port: 0 }, { ...good, port: 1.5 }, { ...good, port: 70_000 },
  ] // prettier-ignore
  for (const route of bad) await assert.rejects(gateway.route(route), /is not/, JSON.stringify(route))
})
