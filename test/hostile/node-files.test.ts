import assert from 'node:assert/strict'
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test, { after, before } from 'node:test'
import { hostUid } from '../../packages/sandbox/src/daemon/instance.ts'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { mebibyte, runPayload, spec } from './lab/payload.ts'
import { runWeakened } from './lab/weaken.ts'

/** A node's data folder as the machine has it: keys that only it may read, a database's socket, open folders. */
let cage: Cage
let node = ''
let database: Server
const keyText = 'ed25519 seed of the node'
const publicText = 'a log that everybody on the host may read'

before(async () => {
  cage = await openCage()
  node = join(cage.disk, 'node')
  mkdirSync(join(node, 'keys'), { recursive: true })
  writeFileSync(join(node, 'keys/node.key'), keyText, { mode: 0o600 })
  writeFileSync(join(node, 'node.log'), publicText)
  database = await listen(join(node, '.s.PGSQL.5432'))
  // As PostgreSQL leaves it: everybody may connect who sees it.
  chmodSync(join(node, '.s.PGSQL.5432'), 0o777)
  for (const path of [cage.disk, node, join(node, 'keys')]) chmodSync(path, 0o755)
  chmodSync(join(node, 'node.log'), 0o644)
})
after(async () => {
  database.close()
  await cage[Symbol.asyncDispose]()
})

function listen(path: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.end('welcome')
  })
  return new Promise((resolve, reject) => server.once('error', reject).listen(path, () => resolve(server)))
}

/** Tries to read, list and connect to each path; prints those that worked. */
const thief = `
import { readFileSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
const attempt = (path) => {
  const won = []
  try { won.push('read ' + readFileSync(path, 'utf8')) } catch (error) { void error }
  try { won.push('list ' + readdirSync(path).length) } catch (error) { void error }
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => { won.push('connect'); socket.destroy() })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(won))
    setTimeout(() => socket.destroy(), 2000).unref()
  })
}
const found = {}
for (const path of process.argv.slice(1)) {
  const won = await attempt(path)
  if (won.length > 0) found[path] = won
}
console.log(JSON.stringify(found))`

const roomy = { memoryBytes: 128 * mebibyte, pids: 64, cpuPercent: 150 }
const inNode = (id: string, program: string, ...words: string[]) =>
  spec({ id, image: 'node-26', argv: ['node', '--input-type=module', '-e', program, ...words], limits: roomy })
const steal = (paths: readonly string[]) => inNode('thief', thief, ...paths)

/** Every way that a path of the host could be written from inside. */
const spellings = ['', '/proc/self/root', '/proc/1/root', '/proc/self/cwd/../../../..', '/app/../..', '/tmp/../../..']
const things = () => [
  node,
  join(node, 'keys/node.key'),
  join(node, 'node.log'),
  join(node, '.s.PGSQL.5432'),
  cage.at.root,
  join(cage.at.root, 'sandboxd.sock'),
  join(cage.at.root, 'logs'),
  join(cage.at.root, 'releases'),
  join(cage.at.root, 'scratch'),
  cage.at.run,
]

test('no file, folder or socket of the node is seen from inside, however its path is written', async () => {
  const paths = spellings.flatMap((spelling) => things().map((path) => `${spelling}${path}`))
  const { said } = await runPayload(cage.client, steal(paths))
  assert.deepEqual(JSON.parse(said), {})
})

test('control: with the disk bound into it, the same program reads the log, lists folders and reaches the database', async () => {
  const inside = things()
    .filter((path) => path.startsWith(cage.disk))
    .map((path) => path.replace(cage.disk, '/tmp/host'))
  const weakness = { gone: 'its own files', from: cage.disk, to: '/tmp/host' } as const
  const { said } = await runWeakened(cage, { spec: steal(inside), weakness })
  const found = JSON.parse(said) as Record<string, string[]>
  assert.deepEqual(found['/tmp/host/node/node.log'], [`read ${publicText}`])
  assert.deepEqual(found['/tmp/host/node/.s.PGSQL.5432'], ['connect'])
  assert.ok(found['/tmp/host/node']?.[0]?.startsWith('list'))
  // A second wall: what only its owner may open stays closed to a user that is nobody on the host.
  assert.equal(found['/tmp/host/node/keys/node.key'], undefined)
  assert.equal(found['/tmp/host/sandbox/sandboxd.sock'], undefined)
  assert.equal(found['/tmp/host/sandbox/scratch'], undefined)
})

test('control: of those, the keys and the daemon’s socket are open to their owner', async () => {
  const key = join(node, 'keys/node.key')
  const socket = join(cage.at.root, 'sandboxd.sock')
  const uid = hostUid(cage.at, 900) + 1000
  for (const path of [key, socket]) chownSync(path, uid, uid)
  const inside = [key, socket].map((path) => path.replace(cage.disk, '/tmp/host'))
  const weakness = { gone: 'its own files', from: cage.disk, to: '/tmp/host' } as const
  const { said } = await runWeakened(cage, { spec: steal(inside), weakness })
  for (const path of [key, socket]) chownSync(path, 0, 0)
  assert.deepEqual(Object.values(JSON.parse(said) as object), [[`read ${keyText}`], ['connect']])
})

test('a socket without a file is reached from its own network alone', async () => {
  const name = `hostile-${process.pid}`
  const listener = cage.outside({
    argv: [process.execPath, '--input-type=module', '-e', abstractListener, name],
    uid: 0,
  })
  await new Promise((resolve) => listener.stdout.once('data', resolve))
  const attack = inNode('thief', abstractCaller, name)
  const inside = await runPayload(cage.client, attack)
  assert.equal(inside.said, 'ECONNREFUSED\n')
  // Control: on the host's network the same program is answered.
  const control = await runWeakened(cage, { spec: attack, weakness: { gone: 'its own network' } })
  listener.kill('SIGKILL')
  assert.equal(control.said, 'reached\n')
})

const abstractListener = `
import { createServer } from 'node:net'
createServer((socket) => socket.end('reached')).listen('\\0' + process.argv[1], () => console.log('ready'))`
const abstractCaller = `
import { connect } from 'node:net'
const socket = connect('\\0' + process.argv[1])
socket.on('data', (data) => console.log(String(data)))
socket.on('error', (error) => console.log(error.code))`

/** A process of the host that runs as the very user of the attacker, so that only namespaces keep them apart. */
const secretWord = 'token-in-a-command-line'
const secretVariable = 'token-in-an-environment'
const spy = `
cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' | grep -E '^token-in-' | sort -u; true`

test('processes of the host are not seen, nor their arguments and variables', async () => {
  const uid = hostUid(cage.at, 900) + 1000
  const bystander = cage.outside({
    argv: [
      '/usr/bin/env',
      `TOKEN=\n${secretVariable}`,
      '/bin/sh',
      '-c',
      'echo 1; while :; do sleep 1; done',
      secretWord,
    ],
    uid,
  })
  await new Promise((resolve) => bystander.stdout.once('data', resolve))
  const { said } = await runPayload(cage.client, spec({ id: 'spy', script: spy }))
  assert.equal(said, '')
  // Control: in the host's process namespace the same lines find the arguments; as the same user of the host, both.
  const weakness = { gone: 'its own processes' } as const
  const control = await runWeakened(cage, { spec: spec({ id: 'spy', script: spy }), weakness })
  const outside = await text(cage.outside({ argv: ['/bin/sh', '-c', spy], uid }).stdout)
  bystander.kill('SIGKILL')
  assert.equal(control.said, `${secretWord}\n`)
  assert.equal(outside, `${secretWord}\n${secretVariable}\n`)
})

const treasure = 'the treasure of another app'
const hunt = `
for folder in / /app /tmp; do find $folder -xdev -type f; done | xargs grep -sl '${treasure}'; true`

test('no file of another sandbox is found by searching everything', async () => {
  const { client } = cage
  await client.scratch({ id: 'theirs', sizeBytes: 16 * mebibyte })
  const hide = `echo '${treasure}' | tee /app/kept > /tmp/fleeting; echo hidden; sleep 30`
  await client.start(spec({ id: 'victim', scratch: 'theirs', script: hide }))
  const alone = await runPayload(client, spec({ id: 'hunter', script: hunt }))
  assert.equal(alone.said, '')
  // Control: on the victim's own disk the same search finds it.
  const same = await runPayload(client, spec({ id: 'hunter', scratch: 'theirs', script: hunt }))
  assert.match(same.said, /^\/app\/kept$/m)
  await client.remove({ id: 'victim' })
  await client.removeScratch({ id: 'theirs' })
})
