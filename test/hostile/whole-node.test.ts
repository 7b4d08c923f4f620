import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { gitRemote, openTestNode } from '@perennial/testnet'
import type { GitRemote, TestNode } from '@perennial/testnet'

/**
 * A deployed app on a node as people start it, that looks for everything the node keeps: files, sockets, keys, its
 * database, its doors, its own port, and the app beside it. Nothing here is built for the test but the app.
 */
const spying = `
const { readFileSync, readdirSync } = require('node:fs')
const { connect } = require('node:net')
const patienceMs = 1500
function connected(where) {
  return new Promise((resolve) => {
    const socket = connect(where)
    const end = (is) => { socket.destroy(); resolve(is) }
    socket.on('connect', () => end(true)).on('error', () => end(false))
    setTimeout(() => end(false), patienceMs).unref()
  })
}
const does = (work) => { try { work(); return true } catch { return false } }
exports.spy = async ({ paths, places }) => {
  const found = paths.filter((path) => does(() => readFileSync(path)) || does(() => readdirSync(path)))
  for (const path of paths) if (await connected({ path })) found.push(path)
  const asked = places.map(async (place) => {
    const [host, port] = place.split(':')
    return (await connected({ host, port: Number(port) })) ? [place] : []
  })
  return [...new Set([...found, ...(await Promise.all(asked)).flat()])]
}
`
const server = `
const { createServer } = require('node:http')
const { networkInterfaces } = require('node:os')
const { spy } = require('./spying.js')
createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  const own = Object.values(networkInterfaces()).flat().map(({ address }) => address)
  response.end(JSON.stringify({ own, found: body === '' ? [] : await spy(JSON.parse(body)) }))
}).listen(process.env.PORT)
`
const app = (name: string) => ({
  'package.json': JSON.stringify({ name, scripts: { start: 'node server.js' } }),
  'spying.js': spying,
  'server.js': server,
})

interface Answer {
  own: string[]
  found: string[]
}

let remote: GitRemote
let node: TestNode
let targets: { paths: string[]; places: string[] }
const apps: Record<'spy' | 'victim', string> = { spy: '', victim: '' }

before(async () => {
  remote = await gitRemote({ repositories: { 'evil/spy': app('spy'), 'kind/victim': app('victim') } })
  node = await openTestNode({ remotes: [remote] })
  apps.spy = (await node.deploy(remote.url('evil/spy'))).slug
  apps.victim = (await node.deploy(remote.url('kind/victim'))).slug
  targets = { paths: keptFiles(), places: [...ownPlaces(), `${await addressOf(apps.victim)}:8080`] }
})
after(async () => {
  await node.close()
  await remote.close()
})

/** Files, folders and sockets of the node, as deep as keys, sockets and disks lie. */
function keptFiles(): string[] {
  // A pinned namespace is a file that nobody reads.
  const leftOut = ['-not', '-path', '*/images/*', '-not', '-path', '*/ns/mnt']
  const found = execFileSync('find', [node.data, '-maxdepth', '3', ...leftOut], { encoding: 'utf8' })
  const sockets = execFileSync('find', [node.data, '-type', 's'], { encoding: 'utf8' })
  const all = [...sockets.split('\n'), ...found.split('\n')].filter(Boolean)
  return [...new Set(all)].slice(0, 400)
}

/** Every TCP address of this node's own: its port, and its doors where sandboxes see the host. */
function ownPlaces(): string[] {
  const prefix = readFileSync(join(node.data, 'sandbox/subnet'), 'utf8').split('.').slice(0, 2).join('.')
  const listening = execFileSync('ss', ['-Hltn'], { encoding: 'utf8' }).match(/\d+\.\d+\.\d+\.\d+:\d+/g) ?? []
  const doors = listening.filter((place) => place.startsWith(`${prefix}.`))
  assert.ok(doors.length >= 2, 'a door for git and one for packages')
  return [`127.0.0.1:${node.port}`, `${prefix}.0.1:${node.port}`, ...doors]
}

async function addressOf(slug: string): Promise<string> {
  const { own } = (await (await node.visit(slug, '/')).json()) as Answer
  return own.find((address) => address.startsWith('10.')) ?? ''
}

test('a deployed app finds none of the node’s files, sockets and keys, and reaches neither its doors nor another app', async () => {
  const body = JSON.stringify({
    paths: targets.paths.flatMap((path) => [path, `/proc/1/root${path}`]),
    places: targets.places,
  })
  const answer = (await (await node.visit(apps.spy, '/', { method: 'POST', body })).json()) as Answer
  assert.deepEqual(answer.found, [])
})

test('control: outside its sandbox the same program finds the keys, the sockets, the doors and the other app', () => {
  const folder = mkdtempSync(join(tmpdir(), 'perennial-spy-'))
  writeFileSync(join(folder, 'spying.js'), spying)
  const program = `require('./spying.js').spy(JSON.parse(process.argv[1])).then((all) => console.log(JSON.stringify(all)))`
  const said = execFileSync(process.execPath, ['-e', program, JSON.stringify(targets)], {
    cwd: folder,
    encoding: 'utf8',
  })
  rmSync(folder, { recursive: true })
  const found = JSON.parse(said) as string[]
  assert.deepEqual(
    targets.paths.filter((path) => !found.includes(path)),
    [],
  )
  assert.ok(found.some((path) => path.endsWith('sandboxd.sock')))
  assert.ok(found.some((path) => path.includes('.s.PGSQL')))
  assert.ok(found.some((path) => path.includes('key')))
  // Its own port is not at the address that sandboxes see.
  const closed = targets.places.filter((place) => !found.includes(place))
  assert.ok(closed.length <= 1 && closed.every((place) => place.endsWith(`:${node.port}`)), String(closed))
})
