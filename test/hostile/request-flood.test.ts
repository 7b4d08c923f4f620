import './lab/empty-network.ts'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { testGateway } from '../../packages/server/src/gateway/testing.ts'
import { attacker, echoing, openTown, visitor } from './lab/town.ts'
import type { Resident, Town } from './lab/town.ts'
import { openVisitor } from './lab/visits.ts'

/** One client that asks as fast as it can. */
let town: Town
let flooded: Resident
let neighbour: Resident
const requestsPerSecond = 50
before(async () => {
  town = await openTown({ perClient: { requestsPerSecond } })
  flooded = await town.settle('flooded', echoing('flooded'))
  neighbour = await town.settle('neighbour', echoing('neighbour'))
})
after(() => town[Symbol.asyncDispose]())

const measureMs = 1000 * Number(process.env['TEST_SCALE'] ?? 1)
const harmless = 3
const looks = 4

/** Fifty connections, each asking again as soon as it is answered, and opened again when it is closed. */
const program = `
const { connect } = require('node:net')
const [port, host, from] = process.argv.slice(1)
const ask = 'GET / HTTP/1.1\\r\\nHost: ' + host + '\\r\\n\\r\\n'
let answered = 0
const open = () => {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from }, () => socket.write(ask))
  socket.on('data', (data) => { answered += String(data).split('HTTP/1.1 200').length - 1; socket.write(ask) })
  socket.on('error', () => 0).on('close', () => setTimeout(open, 5))
}
for (let at = 0; at < 50; at++) open()
process.on('SIGTERM', () => { console.log(answered); process.exit() })`

interface Flood {
  /** Ends it; answers how many requests the app answered. */
  end(): Promise<number>
}

function flood(port: number): Flood {
  const { enter } = town.cage.group
  const [tool, ...argv] = [...enter, process.execPath, '-e', program, `${port}`, flooded.host, attacker]
  const child = spawn(tool, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const said = text(child.stdout)
  return {
    async end() {
      child.kill('SIGTERM')
      await once(child, 'close')
      return Number(await said)
    },
  }
}

/** How many times as long the slowest hundredth of visits to \`app\` takes while the other app is flooded. */
async function disturbance(port: number, app: Resident, isFine: (times: number) => boolean): Promise<number[]> {
  await using somebody = openVisitor({ enter: [], origin: `http://127.0.0.1:${port}`, host: app.host, from: visitor })
  await somebody.visit('/', 200)
  const all: number[] = []
  while (all.length < looks && !all.some(isFine)) {
    const quiet = await somebody.visit('/', measureMs)
    const running = flood(port)
    await sleep(300)
    const loud = await somebody.visit('/', measureMs)
    await running.end()
    all.push(loud.failed > 0 ? Infinity : loud.p99Ms / quiet.p99Ms)
  }
  return all
}

/** The visitor itself asks 250 times a second, so the limits are those of a gateway of its own. */
async function behind(perClient: Parameters<typeof testGateway>[0] & object, use: (port: number) => Promise<void>) {
  await using site = await testGateway(perClient)
  for (const { id, host, address } of [flooded, neighbour])
    await site.gateway.route({ app: id, host, address, port: 8080 })
  await use(site.port)
}

test('a client that floods an app is answered as often as one address may ask, and the rest is not counted to the app', async () => {
  const running = flood(town.site.port)
  await sleep(3000)
  const answered = await running.end()
  assert.ok(answered > 0 && answered <= 10 * requestsPerSecond, `${answered} were answered`)
  const counted = (await town.site.gateway.counts()).find(({ app }) => app === flooded.id)
  assert.ok(Number(counted?.requests) <= 10 * requestsPerSecond, `${counted?.requests} are counted`)
})

test('the neighbours of a flooded app, and its own other visitors, notice nothing', () =>
  behind({ perClient: { requestsPerSecond: 300 } }, async (port) => {
    for (const app of [neighbour, flooded]) {
      const times = await disturbance(port, app, (one) => one < harmless)
      assert.ok(Math.min(...times) < harmless, `visits to ${app.host} took ${times.join(', ')} times as long`)
    }
  }))

test('control: without a limit for one address the app answers the flood, and its other visitors notice', () =>
  behind({ perClient: { requestsPerSecond: 100_000 } }, async (port) => {
    const times = await disturbance(port, flooded, (one) => one >= harmless)
    assert.ok(Math.max(...times) >= harmless, `visits took ${times.join(', ')} times as long`)
    const running = flood(port)
    await sleep(3000)
    const answered = await running.end()
    assert.ok(answered > 10 * requestsPerSecond, `only ${answered} were answered`)
  }))
