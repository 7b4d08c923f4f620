import './lab/empty-network.ts'
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { attacker, echoing, openTown, visitor } from './lab/town.ts'
import type { Resident, Town } from './lab/town.ts'
import { openVisitor } from './lab/visits.ts'

/** One client that begins a great many requests and finishes none of them. */
let town: Town
let app: Resident
/** The same without the limits of one client address. */
const unlimited = { connections: 5000, toOneApp: 5000, requestsPerSecond: 5000 }
const perApp = 250
before(async () => {
  town = await openTown({ perApp })
  app = await town.settle('victim', echoing('victim'))
})
after(() => town[Symbol.asyncDispose]())

interface Crowd {
  readonly open: () => number
  [Symbol.dispose](): void
}

/** So many connections, each with these bytes sent and more to come. */
async function begin(count: number, bytes: string, port: number): Promise<Crowd> {
  const sockets: Socket[] = []
  for (let at = 0; at < count; at++) {
    const socket = connect({ port, host: '127.0.0.1', localAddress: attacker }, () => socket.write(bytes))
    sockets.push(socket.on('error', () => socket.destroy()))
    if (at % 50 === 0) await sleep(5)
  }
  await sleep(500)
  return {
    open: () => sockets.filter(({ destroyed, readyState }) => !destroyed && readyState === 'open').length,
    [Symbol.dispose]: () => sockets.forEach((socket) => socket.destroy()),
  }
}

async function oneVisit(port: number): Promise<{ failed: number }> {
  await using somebody = openVisitor({ enter: [], origin: `http://127.0.0.1:${port}`, host: app.host, from: visitor })
  return await somebody.visit('/', 20)
}

const halfHeaders = () => `GET / HTTP/1.1\r\nHost: ${app.host}\r\nX-Slow: `
const halfBody = () => `POST / HTTP/1.1\r\nHost: ${app.host}\r\nContent-Length: 100000\r\n\r\nslow`

test('one address that begins requests and ends none gets 500 connections, and others are served meanwhile', async () => {
  using crowd = await begin(700, halfHeaders(), town.site.port)
  assert.ok(crowd.open() <= 501, `${crowd.open()} connections are open`)
  assert.equal((await oneVisit(town.site.port)).failed, 0)
})

test('one address that sends bodies without end takes no app for itself: others are answered', async () => {
  using crowd = await begin(400, halfBody(), town.site.port)
  assert.ok(crowd.open() > 0)
  const [count] = await town.site.gateway.counts()
  assert.ok((count?.inFlight ?? 0) <= 201, `${count?.inFlight} of them are under way`)
  assert.equal((await oneVisit(town.site.port)).failed, 0)
})

test('control: without limits for one address all connections stay, and nobody else gets an answer of the app', async () => {
  await using other = await openOther()
  {
    using crowd = await begin(700, halfHeaders(), other.site.port)
    assert.ok(crowd.open() > 650, `${crowd.open()} connections are open`)
  }
  using crowd = await begin(400, halfBody(), other.site.port)
  assert.ok(crowd.open() > 0)
  assert.ok((await oneVisit(other.site.port)).failed > 0)
})

/** A second gateway in front of the same app. */
async function openOther(): Promise<Pick<Town, 'site'> & AsyncDisposable> {
  const { testGateway } = await import('../../packages/server/src/gateway/testing.ts')
  const site = await testGateway({ perApp, perClient: unlimited })
  await site.gateway.route({ app: app.id, host: app.host, address: app.address, port: 8080 })
  return { site, [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() }
}
