import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { SandboxRefused } from '../client/index.ts'
import { get, openTestSandbox, printed, runToEnd, spec } from '../testing.ts'

const sandbox = await openTestSandbox()
const { client } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const hello = `require('http').createServer((_, r) => r.end('hello ' + process.getuid())).listen(8080)`
const node = { image: 'node-24', argv: ['node', '-e', hello] } as const

test('a program in a sandbox answers at its own address, as an ordinary user', async () => {
  const started = await client.start(spec({ id: 'hello', ...node }))
  assert.equal(started.state, 'running')
  assert.equal(await get(`http://${started.address}:8080`), 'hello 1000')
  const [reading] = await client.read()
  assert.ok(reading && reading.cpuNs > 0n && reading.memoryBytes > 0n && reading.diskBytes > 0n)
  await client.remove({ id: 'hello' })
  assert.deepEqual(await client.list(), [])
  assert.deepEqual(await client.read(), [])
})

test('starting twice gives the same sandbox, and another spec under its id is refused', async () => {
  const wanted = spec({ id: 'twice', argv: ['sleep', '1000'] })
  const [first, second] = await Promise.all([client.start(wanted), client.start(wanted)])
  assert.deepEqual(first, second)
  await assert.rejects(client.start({ ...wanted, argv: ['sleep', '1'] }), { code: 'conflict' })
  await client.remove({ id: 'twice' })
  await client.remove({ id: 'twice' })
})

test('a frozen sandbox uses no CPU and answers after it is thawed', async () => {
  const { address } = await client.start(spec({ id: 'frost', ...node }))
  await get(`http://${address}:8080`)
  assert.equal((await client.freeze({ id: 'frost' })).state, 'frozen')
  const before = await client.read()
  const waiting = get(`http://${address}:8080`)
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.equal((await client.read())[0]?.cpuNs, before[0]?.cpuNs)
  assert.equal((await client.thaw({ id: 'frost' })).state, 'running')
  assert.equal(await waiting, 'hello 1000')
  await client.freeze({ id: 'frost' })
  await client.remove({ id: 'frost' })
})

test('stop lets a program finish in its own way, and ends one that will not', async () => {
  const kind = `trap 'echo finished; exit 7' TERM; echo ready; while :; do sleep 0.05; done`
  const stubborn = `trap '' TERM; echo ready; while :; do sleep 0.05; done`
  await client.start(spec({ id: 'kind', argv: ['sh', '-c', kind] }))
  await client.start(spec({ id: 'stubborn', argv: ['sh', '-c', stubborn] }))
  for (const id of ['kind', 'stubborn'])
    while (!printed(client, id).includes('ready')) await new Promise((resolve) => setTimeout(resolve, 10))
  const first = await client.stop({ id: 'kind', graceMs: 5000 })
  assert.deepEqual(first.exit, { code: 7, reason: 'exited', sentence: 'exited with code 7' })
  assert.match(printed(client, 'kind'), /finished/)
  const started = Date.now()
  const second = await client.stop({ id: 'stubborn', graceMs: 300 })
  assert.ok(Date.now() - started >= 300)
  assert.equal(second.exit?.reason, 'killed')
  assert.equal(second.exit.signal, 'SIGKILL')
  // The last reading stays until it is removed.
  assert.deepEqual((await client.read()).map(({ id }) => id).sort(), ['kind', 'stubborn'])
  for (const id of ['kind', 'stubborn']) await client.remove({ id })
})

test('a program that ends by itself is noticed at once and says how', async () => {
  await client.start(spec({ id: 'short', argv: ['sh', '-c', 'sleep 0.3; exit 3'] }))
  assert.equal(await client.wait({ id: 'short', timeoutMs: 10 }), null)
  assert.equal((await client.wait({ id: 'short', timeoutMs: 10_000 }))?.sentence, 'exited with code 3')
  assert.equal((await client.start(spec({ id: 'short', argv: ['sh', '-c', 'sleep 0.3; exit 3'] }))).state, 'exited')
  await client.remove({ id: 'short' })
})

test('a command that does not exist ends the sandbox with words', async () => {
  const { exit, out } = await runToEnd(client, spec({ id: 'nonesuch', argv: ['nonesuch'] }))
  assert.notEqual(exit.code, 0)
  assert.match(out, /No such file or directory/)
})

test('a sandbox that cannot be made says why and leaves nothing', async () => {
  await assert.rejects(client.start(spec({ id: 'lost', argv: ['true'], cwd: '/nowhere' })), {
    code: 'failed',
    message: /lost could not be created: .*nowhere/,
  })
  assert.deepEqual(await client.list(), [])
  assert.equal((await client.start(spec({ id: 'lost', argv: ['sleep', '9'] }))).state, 'running')
  await client.remove({ id: 'lost' })
})

test('CPU is limited, and the limit can be lifted while it runs', async () => {
  await client.start(spec({ id: 'busy', argv: ['sh', '-c', 'while :; do :; done'], limits: small }))
  const little = await cpuShare('busy')
  assert.ok(little < 0.1, String(little))
  await client.limit({ id: 'busy', cpuPercent: 100 })
  // The machine may be busy with other things, so not a whole core is asked for.
  const more = await cpuShare('busy')
  assert.ok(more > 2 * little, `${little} → ${more}`)
  await client.remove({ id: 'busy' })
})

const small = { memoryBytes: 64 * 2 ** 20, pids: 32, cpuPercent: 2 }

async function cpuShare(id: string): Promise<number> {
  const nanoseconds = async () => (await client.read()).find((reading) => reading.id === id)?.cpuNs ?? 0n
  const before = await nanoseconds()
  const start = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 1000))
  return Number((await nanoseconds()) - before) / 1e6 / (performance.now() - start)
}

test('what does not exist is refused by name', async () => {
  await assert.rejects(client.stop({ id: 'nobody', graceMs: 0 }), { code: 'missing', message: /nobody/ })
  await assert.rejects(client.start(spec({ id: 'x', argv: ['true'], release: '0'.repeat(64) })), { code: 'missing' })
  await assert.rejects(client.start(spec({ id: 'x', argv: ['true'], scratch: 'none' })), SandboxRefused)
  assert.deepEqual(await client.list(), [])
})
