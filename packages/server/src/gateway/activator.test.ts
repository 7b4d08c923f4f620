import assert from 'node:assert/strict'
import { request } from 'node:http'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId, refuse, type Refusal } from '@perennial/protocol'
import type { Waker } from './activator.ts'
import { raw, testApp, testGateway, visit, type TestGateway } from './testing.ts'
import { openWebSocket, speakWebSocket } from './testing-websocket.ts'

const known = newId()
const host = 'known.localhost'

/** Knows one app; waking it is what the test says. */
function waker(wake: Waker['wake']): Waker {
  return { find: async (name) => (name === host ? { app: known } : null), wake }
}

test('an unknown app is 404, an unpaid one 402 with the way back, a stopped one 503, as pages', async () => {
  let answer: Refusal = refuse('request-declined/payment-required', 'Its purse is empty.', 'Pay <any> amount.')
  await using site = await testGateway({ waker: waker(async () => answer) })
  const unknown = await visit(site.port, 'nobody.localhost')
  assert.equal(unknown.status, 404)
  const unpaid = await visit(site.port, host)
  assert.equal(unpaid.status, 402)
  assert.match(unpaid.text, /Its purse is empty\./)
  assert.match(unpaid.text, /Pay &#60;any&#62; amount\./)
  assert.match(String(unpaid.headers['content-security-policy']), /default-src 'none'/)
  answer = refuse('access-denied', 'Its admin stopped it.')
  const stopped = await visit(site.port, host)
  assert.equal(stopped.status, 503)
  assert.equal(stopped.headers['retry-after'], '5')
  assert.equal((await visit(site.port, host, { method: 'HEAD' })).text, '')
})

test('a request is held while its app wakes, and loses neither body nor order', async () => {
  const { promise: awake, resolve: wake } = Promise.withResolvers<void>()
  await using app = await testApp((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const size = Buffer.concat(chunks).length
      response.setHeader('set-cookie', ['a=1', 'b=2'])
      response.end(`${incoming.method} ${incoming.url} ${size} ${String(incoming.headers['x-perennial-app'])}`)
    })
  })
  let wakes = 0
  await using site: TestGateway = await testGateway({
    waker: waker(async () => {
      wakes++
      await awake
      await site.gateway.route({ app: known, host, address: '127.0.0.1', port: app.port })
      return 'ready'
    }),
  })
  await site.gateway.park({ app: known, host })
  const body = Buffer.alloc(3_000_000, 'x')
  const held = Array.from({ length: 10 }, (_, turn) =>
    visit(site.port, host, { method: 'POST', path: `/${turn}`, body }),
  )
  while (wakes < 10) await sleep(10)
  assert.equal(await site.gateway.inFlight(known), 10)
  wake()
  for (const [turn, answer] of (await Promise.all(held)).entries()) {
    assert.equal(answer.text, `POST /${turn} 3000000 undefined`)
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2'])
  }
  assert.equal((await site.gateway.counts()).find((count) => count.app === known)?.requests, 10n)
})

test('an app that takes too long to wake gets an honest page, and the next visitor gets the app', async () => {
  let answered = false
  await using app = await testApp('here I am')
  await using site: TestGateway = await testGateway({
    holdMs: 300,
    waker: waker(async () => {
      await sleep(answered ? 0 : 1000)
      answered = true
      await site.gateway.route({ app: known, host, address: '127.0.0.1', port: app.port })
      return 'ready'
    }),
  })
  const early = await visit(site.port, host)
  assert.equal(early.status, 503)
  assert.match(early.text, /is starting/)
  assert.equal(early.headers['retry-after'], '5')
  while (!answered) await sleep(20)
  assert.equal((await visit(site.port, host)).text, 'here I am')
})

test('a waker that fails is a page too, and nothing of the failure is shown', async () => {
  await using site = await testGateway({
    log: false,
    waker: waker(async () => {
      throw new Error('secret trouble')
    }),
  })
  const answer = await visit(site.port, host)
  assert.equal(answer.status, 503)
  assert.doesNotMatch(answer.text, /secret/)
})

test('a page that cannot be made is a plain one, and the node lives on', async () => {
  await using site = await testGateway({
    log: false,
    page: async () => {
      throw new Error('secret trouble')
    },
  })
  const answer = await visit(site.port, 'nobody.localhost')
  assert.equal(answer.status, 404)
  assert.match(answer.text, /no app of this name/)
  await assert.rejects(openWebSocket(site.port, 'nobody.localhost'), /404 Not Found/)
})

test('a WebSocket that wakes its app talks to it; one that may not gets the page', async () => {
  await using app = await testApp('hello')
  speakWebSocket(app.server)
  let paid = false
  await using site: TestGateway = await testGateway({
    waker: waker(async () => {
      if (!paid) return refuse('request-declined/payment-required', 'Its purse is empty.')
      await sleep(100)
      await site.gateway.route({ app: known, host, address: '127.0.0.1', port: app.port })
      return 'ready'
    }),
  })
  await site.gateway.park({ app: known, host })
  await assert.rejects(openWebSocket(site.port, host), /402 Payment Required/)
  paid = true
  await using first = await openWebSocket(site.port, host)
  await using second = await openWebSocket(site.port, host)
  assert.equal(await first.say('through the activator'), 'through the activator')
  assert.equal(await second.say('straight'), 'straight')
  assert.equal(await site.gateway.inFlight(known), 2)
})

test('an app that declines an upgrade gets no request of anybody else over the same connection', async () => {
  const heard: string[] = []
  // It answers as HTTP allows, keeps the connection and listens to what comes next.
  await using app = await testApp('')
  app.server.on('upgrade', (incoming, socket) => {
    heard.push(String(incoming.headers.host))
    socket.on('data', (chunk: Buffer) => heard.push(chunk.toString()))
    socket.on('error', () => socket.destroy())
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nno')
  })
  await using site: TestGateway = await testGateway({
    waker: waker(async () => {
      await site.gateway.route({ app: known, host, address: '127.0.0.1', port: app.port })
      return 'ready'
    }),
  })
  await site.gateway.park({ app: known, host })
  await assert.rejects(openWebSocket(site.port, host), /200 OK/)
  const get = `GET / HTTP/1.1\r\nHost: nobody.localhost\r\nCookie: secret=1\r\n\r\n`
  // HAProxy lends a connection to the second request of a client, whoever had it before.
  for (let turn = 0; turn < 5; turn++) await raw(site.port, get + get, 100)
  assert.deepEqual(heard, [host])
})

test('a visitor who leaves while an app wakes is not waited for, and nothing breaks', async () => {
  const { promise: awake, resolve: wake } = Promise.withResolvers<void>()
  await using app = await testApp('hello')
  await using site: TestGateway = await testGateway({
    waker: waker(async () => {
      await awake
      await site.gateway.route({ app: known, host, address: '127.0.0.1', port: app.port })
      return 'ready'
    }),
  })
  await site.gateway.park({ app: known, host })
  const leaver = request({ host: '127.0.0.1', port: site.port, headers: { host }, agent: false })
  leaver.on('error', () => undefined)
  leaver.end()
  while ((await site.gateway.inFlight(known)) === 0) await sleep(10)
  leaver.destroy()
  const stays = visit(site.port, host)
  await sleep(50)
  wake()
  assert.equal((await stays).text, 'hello')
  while ((await site.gateway.inFlight(known)) > 0) await sleep(10)
})

test('an app that breaks off a held request gets the visitor a page, never an open end', async () => {
  await using app = await testApp((_incoming, response) => response.socket?.destroy())
  await using site: TestGateway = await testGateway({
    waker: waker(async () => {
      await site.gateway.route({ app: known, host, address: '127.0.0.1', port: app.port })
      return 'ready'
    }),
  })
  await site.gateway.park({ app: known, host })
  const answer = await visit(site.port, host, { method: 'POST', body: 'x' })
  assert.equal(answer.status, 503)
})

test('strange requests to a sleeping app end in an answer', async () => {
  await using site = await testGateway({ waker: waker(async () => refuse('access-denied', 'Stopped.')) })
  await site.gateway.park({ app: known, host })
  const strange = [
    `OPTIONS * HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    `GET / HTTP/1.0\r\nHost: ${host}\r\n\r\n`,
    `POST / HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
    `DELETE /${'a'.repeat(8000)} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  ]
  for (const bytes of strange) assert.match(await raw(site.port, bytes), /HTTP\/1\.1 [345]0\d/, bytes.slice(0, 40))
})
