import assert from 'node:assert/strict'
import { request, type ClientRequest, type IncomingMessage, type RequestListener } from 'node:http'
import type { Writable } from 'node:stream'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '@perennial/protocol'
import { freePort } from '@perennial/testnet/free-port'
import { testApp, testGateway, visit, type TestGateway } from './testing.ts'
import { openWebSocket, speakWebSocket } from './testing-websocket.ts'

const host = 'known.localhost'
/** Far more than sockets and HAProxy hold on the way. */
const MUCH_BYTES = 64 * 2 ** 20
const BUFFERED_BYTES = 24 * 2 ** 20

const PATHS = ['through the activator', 'straight'] as const

for (const path of PATHS) {
  test(`a visitor who leaves before the answer ends the request at the app, ${path}`, async () => {
    const ended = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    await using site = await siteOf(path, (_incoming, response) => {
      response.on('close', ended.resolve)
      begun.resolve()
    })
    const visitor = site.ask()
    visitor.end()
    await begun.promise
    visitor.destroy()
    await within(1000, ended.promise)
    await site.quiet()
  })

  test(`a visitor who leaves amid the answer or amid their own body ends the request at the app, ${path}`, async () => {
    for (const amid of ['answer', 'body']) {
      const ended = Promise.withResolvers<void>()
      const begun = Promise.withResolvers<void>()
      await using site = await siteOf(path, (incoming, response) => {
        incoming.on('error', () => undefined)
        response.on('close', ended.resolve)
        if (amid === 'answer') response.write('first')
        incoming.once('data', () => begun.resolve())
      })
      const visitor = site.ask('POST')
      visitor.write('half of it')
      await begun.promise
      if (amid === 'answer') await sleep(100)
      visitor.destroy()
      await within(1000, ended.promise)
      await site.quiet()
    }
  })

  test(`a visitor who reads slowly slows the app, and gets all of it, ${path}`, { timeout: 60_000 }, async () => {
    const sent = { bytes: 0 }
    await using site = await siteOf(path, (_incoming, response) => pour(response, sent))
    const visitor = site.ask()
    const answered = new Promise<IncomingMessage>((resolve) => visitor.once('response', resolve))
    visitor.end()
    const answer = await answered
    await sleep(1000)
    assert.ok(sent.bytes < BUFFERED_BYTES, `${sent.bytes} bytes were taken from the app while nobody read`)
    let readBytes = 0
    for await (const piece of answer) readBytes += (piece as Buffer).length
    assert.equal(readBytes, MUCH_BYTES)
  })

  test(`a body that comes slowly reaches the app as it comes, and no faster than it is read, ${path}`, async () => {
    let heard = ''
    let bytes = 0
    const read = Promise.withResolvers<void>()
    await using site = await siteOf(path, async (incoming, response) => {
      incoming.on('data', (piece: Buffer) => {
        bytes += piece.length
        if (bytes < 100) heard += piece.toString()
      })
      incoming.on('end', () => response.end(String(bytes)))
      while (!heard.endsWith('three')) await sleep(5)
      incoming.pause()
      await read.promise
      incoming.resume()
    })
    const visitor = site.ask('POST')
    const answered = bodyOf(visitor)
    for (const piece of ['one ', 'two ', 'three']) {
      visitor.write(piece)
      await until(() => heard.endsWith(piece))
    }
    const sent = { bytes: 0 }
    pour(visitor, sent)
    await sleep(1000)
    assert.ok(sent.bytes < BUFFERED_BYTES, `${sent.bytes} bytes were taken from the visitor while the app read none`)
    read.resolve()
    assert.equal(await answered, String(MUCH_BYTES + 'one two three'.length))
  })

  test(`an app that answers before it has read all is heard to the end, ${path}`, async () => {
    await using site = await siteOf(path, (_incoming, response) => {
      response.writeHead(413, { connection: 'close' })
      response.end('y'.repeat(200_000))
    })
    const visitor = site.ask('POST')
    const answered = bodyOf(visitor)
    visitor.write('x'.repeat(10_000))
    assert.equal((await answered).length, 200_000)
    visitor.destroy()
    await site.quiet()
    assert.equal((await site.visit()).length, 200_000, 'and the next visitor is answered, too')
  })
}

test('a visitor who leaves while the app still takes no connection leaves none behind', async () => {
  const port = await freePort()
  let dialling = false
  await using gateway: TestGateway = await testGateway({
    waker: {
      find: async () => null,
      async wake() {
        await gateway.gateway.route({ app: known, host, address: '127.0.0.1', port })
        dialling = true
        return 'ready'
      },
    },
  })
  const known = newId()
  await gateway.gateway.park({ app: known, host })
  const visitor = request({ host: '127.0.0.1', port: gateway.port, headers: { host }, agent: false })
  visitor.on('error', () => undefined)
  visitor.end()
  await until(() => dialling)
  visitor.destroy()
  await sleep(100)
  await using app = await testApp('late', port)
  await sleep(1500)
  assert.equal(await new Promise((resolve) => app.server.getConnections((_error, count) => resolve(count))), 0)
  assert.equal(await gateway.gateway.inFlight(known), 0)
})

test('a visitor who leaves a WebSocket ends it at the app, and the gateway closes while one is open', async () => {
  await using app = await testApp('')
  speakWebSocket(app.server)
  let open = 0
  app.server.on('upgrade', (_incoming, socket) => {
    open++
    socket.on('close', () => open--)
  })
  const known = newId()
  await using site: TestGateway = await testGateway({
    waker: {
      find: async () => null,
      // Never routed for HAProxy: each one goes through the activator.
      async wake() {
        await site.gateway.route({ app: known, host, address: '127.0.0.1', port: app.port })
        return 'ready'
      },
    },
  })
  await site.gateway.park({ app: known, host })
  const left = await openWebSocket(site.port, host)
  assert.equal(await left.say('hello'), 'hello')
  await left[Symbol.asyncDispose]()
  await until(() => open === 0)
  await site.gateway.park({ app: known, host })
  await using kept = await openWebSocket(site.port, host)
  assert.equal(await kept.say('hello'), 'hello')
  await within(2000, site.reopen())
})

/** A gateway before one app: its first request goes through the activator, or all go straight. */
async function siteOf(path: (typeof PATHS)[number], answer: RequestListener) {
  const stack = new AsyncDisposableStack()
  const app = newId()
  const server = stack.use(await testApp(answer))
  const route = { app, host, address: '127.0.0.1', port: server.port }
  const site: TestGateway = await testGateway({
    waker: {
      find: async () => null,
      async wake() {
        await site.gateway.route(route)
        return 'ready'
      },
    },
  })
  stack.use(site)
  if (path === 'straight') await site.gateway.route(route)
  else await site.gateway.park(route)
  return {
    ask(method = 'GET'): ClientRequest {
      const headers = { host }
      const visitor = request({ host: '127.0.0.1', port: site.port, headers, agent: false, method })
      // Who leaves hears that they left.
      visitor.on('error', () => undefined)
      return visitor
    },
    visit: async () => (await visit(site.port, host)).text,
    quiet: () => until(async () => (await site.gateway.inFlight(app)) === 0),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Writes as much as is taken, whenever it is, and counts it. */
function pour(to: Writable, sent: { bytes: number }): void {
  const piece = Buffer.alloc(2 ** 16, 'x')
  while (sent.bytes < MUCH_BYTES) {
    sent.bytes += piece.length
    if (!to.write(piece)) return void to.once('drain', () => pour(to, sent))
  }
  to.end()
}

function bodyOf(visitor: ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    visitor.once('response', (answer) => {
      const pieces: Buffer[] = []
      answer.on('data', (piece: Buffer) => pieces.push(piece))
      answer.on('error', reject)
      answer.on('end', () => resolve(Buffer.concat(pieces).toString('latin1')))
    })
  })
}

async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  for (const beganMs = performance.now(); !(await is()); await sleep(10))
    if (performance.now() - beganMs > 5000) throw new Error('it did not happen within 5 s')
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = new AbortController()
  try {
    return await Promise.race([
      work,
      sleep(ms, undefined, { signal: late.signal }).then(() => Promise.reject(new Error(`not within ${ms} ms`))),
    ])
  } finally {
    late.abort()
  }
}
