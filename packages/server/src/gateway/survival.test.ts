import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '@perennial/protocol'
import type { Gateway } from './gateway.ts'
import { testApp, testGateway, visit, type TestGateway } from './testing.ts'
import { openWebSocket, speakWebSocket } from './testing-websocket.ts'

const scale = Number(process.env['TEST_SCALE'] ?? 1)
const local = (port: number) => ({ address: '127.0.0.1', port })

test("an app's counts equal what its visitors counted themselves", async () => {
  await using site = await testGateway()
  await using app = await testApp((incoming, response) => {
    incoming.resume().on('end', () => response.end('y'.repeat(Number(incoming.url!.slice(1)))))
  })
  const [id, other] = [newId(), newId()]
  await site.gateway.route({ app: id, host: 'a.localhost', ...local(app.port) })
  await site.gateway.route({ app: other, host: 'b.localhost', ...local(app.port) })
  const mine = { requests: 0n, sent: 0n, received: 0n }
  for (let turn = 0; turn < 40 * scale; turn++) {
    const sent = Math.floor(Math.random() * 50_000)
    const { text } = await visit(site.port, turn % 4 === 0 ? 'b.localhost' : 'a.localhost', {
      method: 'POST',
      path: `/${Math.floor(Math.random() * 50_000)}`,
      body: 'x'.repeat(sent),
    })
    if (turn % 4 === 0) continue
    mine.requests++
    mine.sent += BigInt(sent)
    mine.received += BigInt(text.length)
  }
  const count = await countOf(site.gateway, id)
  assert.equal(count.requests, mine.requests)
  assert.equal((await countOf(site.gateway, other)).requests, BigInt(10 * scale))
  // Bytes are those of bodies and headers; headers of one request and answer are below 500 here.
  for (const [counted, own] of [
    [count.bytesIn, mine.sent],
    [count.bytesOut, mine.received],
  ] as const)
    // prettier-ignore
    assert.ok(counted > own && counted < own + mine.requests * 500n, `${counted} counted, ${own} seen`)
})

test('counts are neither lost nor doubled when the node dies, and only grow when HAProxy does', async () => {
  await using site = await testGateway()
  await using app = await testApp('hello')
  const id = newId()
  await site.gateway.route({ app: id, host: 'a.localhost', ...local(app.port) })
  for (let turn = 0; turn < 10; turn++) await visit(site.port, 'a.localhost')
  await site.reopen()
  for (let turn = 0; turn < 5; turn++) await visit(site.port, 'a.localhost')
  assert.equal((await countOf(site.gateway, id)).requests, 15n)
  await killHaproxy(site)
  await answers(site, 'a.localhost')
  const after = (await countOf(site.gateway, id)).requests
  assert.ok(after >= 16n, `${after}`)
  await site.reopen()
  for (let turn = 0; turn < 5; turn++) await visit(site.port, 'a.localhost')
  assert.equal((await countOf(site.gateway, id)).requests, after + 5n)
})

test('a node that starts again adopts the HAProxy that still runs, routes and open WebSockets included', async () => {
  await using site = await testGateway()
  await using app = await testApp('hello')
  speakWebSocket(app.server)
  const [id, gone] = [newId(), newId()]
  await site.gateway.route({ app: id, host: 'a.localhost', ...local(app.port) })
  await site.gateway.route({ app: gone, host: 'gone.localhost', ...local(app.port) })
  const socket = await openWebSocket(site.port, 'a.localhost')
  const before = await masterOf(site)
  await site.services.database.query('delete from gateway_host where app = $1', [gone])
  const gateway = await site.reopen()
  assert.equal(await masterOf(site), before)
  assert.equal((await visit(site.port, 'a.localhost')).text, 'hello')
  assert.equal((await visit(site.port, 'gone.localhost')).status, 404)
  assert.equal(await socket.say('still here'), 'still here')
  assert.equal(await gateway.inFlight(id), 1)
  await socket.close()
})

test(
  'a killed HAProxy is back within seconds, with all its routes, and nobody else is charged',
  { timeout: 30_000 },
  async () => {
    await using site = await testGateway()
    await using app = await testApp('hello')
    const ids = Array.from({ length: 30 }, () => newId())
    await Promise.all(
      ids.map((id, index) => site.gateway.route({ app: id, host: `a${index}.localhost`, ...local(app.port) })),
    )
    for (let kill = 0; kill < 3; kill++) {
      await killHaproxy(site)
      await Promise.all(ids.map((_, index) => answers(site, `a${index}.localhost`)))
    }
    await killHaproxy(site)
    const moved = site.gateway.route({ app: ids[0]!, host: 'a0.localhost', ...local(app.port) })
    await moved
    await answers(site, 'a0.localhost')
  },
)

test('no request fails while an app moves between instances a hundred times', { timeout: 60_000 }, async () => {
  await using site = await testGateway()
  await using one = await testApp('one')
  await using two = await testApp('two')
  const where = { app: newId(), host: 'a.localhost' }
  await site.gateway.route({ ...where, ...local(one.port) })
  let done = false
  const seen = new Map<string, number>()
  const agent = new Agent({ keepAlive: true })
  const clients = Array.from({ length: 4 }, async () => {
    while (!done) {
      const text = await get(site.port, 'a.localhost', agent)
      seen.set(text, (seen.get(text) ?? 0) + 1)
    }
  })
  for (let move = 0; move < 50 * scale; move++) {
    await site.gateway.route({ ...where, ...local(two.port) })
    assert.equal(await site.gateway.drained({ app: where.app, ...local(one.port), timeoutMs: 2000 }), true)
    await site.gateway.route({ ...where, ...local(one.port) })
    assert.equal(await site.gateway.drained({ app: where.app, ...local(two.port), timeoutMs: 2000 }), true)
  }
  done = true
  await Promise.all(clients)
  agent.destroy()
  assert.deepEqual([...seen.keys()].toSorted(), ['one', 'two'])
})

test(
  'more apps than slots: HAProxy gets more without losing a request or a WebSocket',
  { timeout: 60_000 },
  async () => {
    await using site = await testGateway({ slots: 2 })
    await using app = await testApp('hello')
    speakWebSocket(app.server)
    const ids = Array.from({ length: 9 }, () => newId())
    const route = (index: number) =>
      site.gateway.route({ app: ids[index]!, host: `a${index}.localhost`, ...local(app.port) })
    await route(0)
    const socket = await openWebSocket(site.port, 'a0.localhost')
    let done = false
    let answered = 0n
    const agent = new Agent({ keepAlive: true })
    const client = (async () => {
      while (!done) {
        assert.equal(await get(site.port, 'a0.localhost', agent), 'hello')
        answered++
      }
    })()
    let duringReloads = 0n
    for (let index = 1; index < ids.length; index++) {
      const before = answered
      await route(index)
      duringReloads += answered - before
    }
    for (let index = 0; index < ids.length; index++)
      assert.equal((await visit(site.port, `a${index}.localhost`)).text, 'hello')
    done = true
    await client
    agent.destroy()
    assert.equal(await socket.say('over the reload'), 'over the reload')
    assert.equal(await site.gateway.inFlight(ids[0]!), 1)
    await site.gateway.park({ app: ids[0]!, host: 'a0.localhost' })
    assert.equal(await site.gateway.drained({ app: ids[0]!, ...local(app.port), timeoutMs: 200 }), false)
    await socket.close()
    assert.equal(await site.gateway.drained({ app: ids[0]!, ...local(app.port), timeoutMs: 2000 }), true)
    assert.equal(await site.gateway.inFlight(ids[0]!), 0)
    const { requests } = await countOf(site.gateway, ids[0]!)
    assert.ok(
      requests <= answered + 2n && requests >= answered - duringReloads,
      `${requests} counted, ${answered + 2n} made`,
    )
  },
)

test('an app that dies while requests arrive loses none of those it had not taken', { timeout: 30_000 }, async () => {
  await using second = await testApp('back')
  const id = newId()
  const where = { app: id, host: 'a.localhost' }
  await using site: TestGateway = await testGateway({
    waker: {
      find: async () => ({ app: id }),
      wake: async () => {
        await site.gateway.route({ ...where, ...local(second.port) })
        return 'ready'
      },
    },
  })
  const first = await testApp('first')
  await site.gateway.route({ ...where, ...local(first.port) })
  assert.equal((await visit(site.port, 'a.localhost')).text, 'first')
  await first[Symbol.asyncDispose]()
  const waiting = Promise.all(
    Array.from({ length: 20 }, () => visit(site.port, 'a.localhost', { method: 'POST', body: 'x' })),
  )
  await sleep(200)
  await site.gateway.park(where)
  for (const { status, text } of await waiting) assert.deepEqual([status, text], [200, 'back'])
})

test('a gateway that closes waits for a request under way, and for no connection that is merely kept', async () => {
  await using site = await testGateway()
  const answering = Promise.withResolvers<void>()
  await using app = await testApp((incoming, response) => {
    if (incoming.url === '/') return response.end('quick')
    answering.resolve()
    return setTimeout(() => response.end('slow'), 500)
  })
  await site.gateway.route({ app: newId(), host: 'a.localhost', ...local(app.port) })
  using agent = { kept: new Agent({ keepAlive: true }), [Symbol.dispose]: () => agent.kept.destroy() }
  assert.equal(await get(site.port, 'a.localhost', agent.kept), 'quick')
  const slow = visit(site.port, 'a.localhost', { path: '/slow' })
  await answering.promise
  const closing = site.gateway.close().then(() => 'closed')
  // It would take three seconds if it waited for the kept connection.
  assert.equal(await Promise.race([slow.then(({ text }) => text), closing]), 'slow')
  assert.equal(await Promise.race([closing, sleep(2000)]), 'closed')
})

async function countOf(gateway: Gateway, app: string) {
  const count = (await gateway.counts()).find((one) => one.app === app)
  assert.ok(count, `nothing is counted for ${app}`)
  return count
}

const masterOf = async (site: TestGateway) => Number(await readFile(`${site.folder}/haproxy.pid`, 'utf8'))

async function killHaproxy(site: TestGateway): Promise<void> {
  process.kill(await masterOf(site), 'SIGKILL')
  await sleep(20)
}

async function answers(site: TestGateway, host: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const answer = await visit(site.port, host).catch((error: Error) => error)
    if (!(answer instanceof Error) && answer.text === 'hello') return
    assert.ok(attempt < 100, `${host} does not answer: ${answer instanceof Error ? answer.message : answer.status}`)
    await sleep(50)
  }
}

function get(port: number, host: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, headers: { host }, agent }, (incoming) => {
      let text = ''
      incoming.on('data', (chunk: Buffer) => (text += chunk.toString()))
      incoming.on('end', () =>
        incoming.statusCode === 200 ? resolve(text) : reject(new Error(`${incoming.statusCode} ${text}`)),
      )
    })
    // A kept connection that the server closed just then may be tried again by any client: nothing was answered.
    outgoing.on('error', (error) =>
      outgoing.reusedSocket && 'code' in error && error.code === 'ECONNRESET'
        ? resolve(get(port, host, agent))
        : reject(error),
    )
    outgoing.end()
  })
}
