import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import type { Network } from '../../packages/sandbox/src/client/index.ts'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { hostAddress, world } from './lab/island.ts'
import type { Listener } from './lab/island.ts'
import { mebibyte, printed, runPayload, spec } from './lab/payload.ts'

/**
 * All of it on an island: two network namespaces with a cable between them and no way out. One is the machine on
 * which sandboxes run; the other plays private networks, a cloud's metadata service and one public address.
 */
let cage: Cage
let host: Listener
let beyond: Listener
let victim = ''
const doorPort = 9000
const closedPort = 9001
const webPort = 80
const privateAddresses = [world.metadata, ...world.privateNetworks]

before(async () => {
  cage = await openCage()
  const door = cage.at.doorAddress
  const closed = [door, hostAddress].map((address) => ({ address, port: closedPort }))
  const web = [world.public, ...privateAddresses].map((address) => ({ address, port: webPort }))
  host = await cage.island.listen('host', [{ address: door, port: doorPort }, ...closed])
  beyond = await cage.island.listen('world', web)
  victim = (await cage.client.start(inNode('victim', { network: 'internet', program: serve, words: [] }))).address
  while (!printed(cage.client, 'victim').includes('ready')) await new Promise((resolve) => setTimeout(resolve, 20))
})
after(() => cage[Symbol.asyncDispose]())

const inNode = (id: string, run: { network: Network; program: string; words: readonly string[] }) =>
  spec({
    id,
    image: 'node-26',
    argv: ['node', '--input-type=module', '-e', run.program, ...run.words],
    network: run.network,
    limits: { memoryBytes: 128 * mebibyte, pids: 64, cpuPercent: 150 },
  })

/** The other app: it would answer anybody. */
const serve = `
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
const udp = createSocket('udp4')
udp.on('message', (_, from) => udp.send('reached', from.port, from.address)).bind(8080)
createServer((socket) => socket.on('error', () => socket.destroy()).end('reached')).listen(8080, () => console.log('ready'))`

/** Knocks at each \`address:port\`, by TCP and by UDP, and prints where somebody answered. */
const knocking = `
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
const patienceMs = 1500
const tcp = (address, port) => new Promise((resolve) => {
  const socket = connect(port, address)
  socket.on('data', () => resolve('tcp'))
  socket.on('error', () => resolve())
})
const udp = (address, port) => new Promise((resolve) => {
  const socket = createSocket('udp4')
  socket.on('message', () => resolve('udp'))
  socket.on('error', () => resolve())
  socket.send('knock', port, address, (error) => error && resolve())
})
await Promise.all(process.argv.slice(1).flatMap((place) => [tcp, udp].map(async (way) => {
  const [address, port] = place.split(':')
  const late = new Promise((resolve) => setTimeout(resolve, patienceMs))
  const answer = await Promise.race([way(address, Number(port)), late])
  if (answer) console.log(answer + ' ' + place)
})))
process.exit()`

async function knock(network: Network, places: readonly string[]): Promise<string[]> {
  const attack = inNode('attacker', { network, program: knocking, words: places })
  const { exit, said } = await runPayload(cage.client, attack)
  assert.equal(exit.code, 0, said)
  return said.split('\n').filter(Boolean).sort()
}

const both = (places: readonly string[]) => places.flatMap((place) => [`tcp ${place}`, `udp ${place}`]).sort()

const door = () => `${cage.at.doorAddress}:${doorPort}`
const publicPlace = `${world.public}:${webPort}`
/** Everything that is nobody's to reach. */
const forbidden = () => [
  `${victim}:8080`,
  ...[cage.at.doorAddress, hostAddress].map((address) => `${address}:${closedPort}`),
  ...privateAddresses.map((address) => `${address}:${webPort}`),
]

const networks: Record<string, () => Network> = {
  none: () => 'none',
  door: () => ({ doors: [{ address: cage.at.doorAddress, port: doorPort }] }),
  internet: () => 'internet',
}

for (const [name, network] of Object.entries(networks))
  test(`an app with the network "${name}" reaches no other app, no closed port of the host, no private network, no metadata`, async () => {
    const heard = host.reached.length + beyond.reached.length
    assert.deepEqual(await knock(network(), forbidden()), [])
    assert.equal(host.reached.length + beyond.reached.length, heard, 'nobody even heard it')
  })

test('what was given is reached, by whom it was given to: a door over TCP, a public address', async () => {
  const places = [door(), publicPlace]
  assert.deepEqual(await knock('none', places), [])
  assert.deepEqual(await knock({ doors: [{ address: cage.at.doorAddress, port: doorPort }] }, places), [
    `tcp ${door()}`,
  ])
  assert.deepEqual(await knock('internet', places), both([publicPlace]))
})

test('control: with the rules of this sandboxd emptied, the same app reaches every one of them', async () => {
  const table = ['inet', cage.at.nftTable]
  cage.island.run(['nft', 'flush', 'table', ...table])
  // The other side knows no way back to a sandbox's own address.
  cage.island.run(['nft', 'add', 'rule', ...table, 'p_nat', 'oifname', 'cable', 'masquerade'])
  assert.deepEqual(await knock('internet', forbidden()), both(forbidden()))
})
