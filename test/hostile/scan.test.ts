import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import type { Network } from '../../packages/sandbox/src/client/index.ts'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { hostAddress, world } from './lab/island.ts'
import type { Listener } from './lab/island.ts'
import { mebibyte, printed, runPayload, spec } from './lab/payload.ts'
import { runWeakened } from './lab/weaken.ts'

/** Not one known place but all there are: every port of the host, every address nearby, every way by IPv6. */
let cage: Cage
let host: Listener
let beyond: Listener
const ports = [22, 53, 111, 443, 2375, 3128, 5432, 6443, 8080, 9000, 49_152]
const door = { port: 9000 }

before(async () => {
  cage = await openCage()
  const places = [cage.at.doorAddress, hostAddress].flatMap((address) => ports.map((port) => ({ address, port })))
  host = await cage.island.listen('host', places)
  const six = [world.metadata6, world.public6].map((address) => ({ address, port: 80 }))
  beyond = await cage.island.listen('world', [...six, { address: world.metadata, port: 80 }])
  const serve = 'while :; do echo hello | nc -l -p 8080; done'
  for (const id of ['one', 'two', 'three']) await cage.client.start(spec({ id, script: `echo open; ${serve}` }))
  while (!printed(cage.client, 'three').includes('open')) await new Promise((resolve) => setTimeout(resolve, 20))
})
after(() => cage[Symbol.asyncDispose]())

/** Connects to each `address port`, two hundred at a time, and prints those where somebody was. */
const scanner = `
import { connect } from 'node:net'
const places = process.argv.slice(1).flatMap((range) => {
  const [prefix, from, to, ports] = range.split(' ')
  const last = Array.from({ length: to - from + 1 }, (_, at) => prefix + (from === to && from === '0' ? '' : Number(from) + at))
  const [low, high] = ports.split('-').map(Number)
  return last.flatMap((host) => Array.from({ length: (high ?? low) - low + 1 }, (_, at) => ({ host, port: low + at })))
})
const next = async () => {
  for (let place = places.pop(); place; place = places.pop()) {
    await new Promise((resolve) => {
      const socket = connect({ ...place, timeout: 300 })
      socket.on('connect', () => { console.log(place.host + ' ' + place.port); socket.destroy() })
      socket.on('timeout', () => socket.destroy()).on('error', () => undefined).on('close', resolve)
    })
  }
}
await Promise.all(Array.from({ length: 200 }, next))
console.log('scanned')`

/** A range is a prefix with its first and last number, and ports. `0 0` is the prefix alone. */
const scan = (id: string, run: { network: Network; ranges: readonly string[] }) =>
  spec({
    id,
    image: 'node-26',
    argv: ['node', '--input-type=module', '-e', scanner, ...run.ranges],
    network: run.network,
    limits: { memoryBytes: 192 * mebibyte, pids: 64, cpuPercent: 150 },
  })

const full = Number(process.env['TEST_SCALE'] ?? 1) > 1
const prefix = () => cage.at.doorAddress.replace(/0\.1$/, '')
const hostRanges = () =>
  [cage.at.doorAddress, hostAddress].flatMap((address) =>
    full ? [`${address} 0 0 1-65535`] : ports.map((port) => `${address} 0 0 ${port}`),
  )
const neighbours = () => [`${prefix()}1. 1 20 8080`, `${prefix()}0. 2 20 8080`]
const six = () => [world.metadata6, world.public6, 'ff02::1%eth0', 'fe80::1%eth0'].map((address) => `${address} 0 0 80`)
const found = (said: string) => said.split('\n').filter((line) => line !== '' && line !== 'scanned')

for (const network of ['none', 'internet', 'door'] as const)
  test(`an app with the network "${network}" that scans the host, its neighbours and IPv6 finds what it was given, no more`, async () => {
    const given: Network = network === 'door' ? { doors: [{ address: cage.at.doorAddress, port: door.port }] } : network
    const ranges = [...hostRanges(), ...neighbours(), ...six(), `${world.metadata} 0 0 80`]
    const { said } = await runPayload(cage.client, scan('scanner', { network: given, ranges }), { timeoutMs: 300_000 })
    assert.match(said, /^scanned$/m)
    assert.deepEqual(found(said), network === 'door' ? [`${cage.at.doorAddress} ${door.port}`] : [])
  })

test('nobody out there heard of it', () => {
  assert.deepEqual([...new Set(host.reached)], [`${cage.at.doorAddress}:${door.port}`])
  assert.deepEqual(beyond.reached, [])
})

test('control: on the network of the host the same scan finds every one of them, by IPv6 too', async () => {
  const ranges = [...hostRanges(), ...neighbours(), ...six().slice(0, 2), `${world.metadata} 0 0 80`]
  const { said } = await runWeakened(cage, {
    spec: scan('scanner', { network: 'none', ranges }),
    weakness: { gone: 'its own network' },
    timeoutMs: 300_000,
  })
  const all = found(said)
  for (const port of ports) assert.ok(all.includes(`${hostAddress} ${port}`), `${port} is not in ${all.join(', ')}`)
  for (const address of [world.metadata, world.metadata6, world.public6]) assert.ok(all.includes(`${address} 80`), said)
  assert.equal(all.filter((place) => place.endsWith(' 8080') && place.startsWith(`${prefix()}1.`)).length, 3, said)
})
