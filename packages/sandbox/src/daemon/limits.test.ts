import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { after, test } from 'node:test'
import { openTestSandbox, printed, runToEnd, spec } from '../testing.ts'

const sandbox = await openTestSandbox()
const { client } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const mebibyte = 2 ** 20
const limits = { memoryBytes: 64 * mebibyte, pids: 32, cpuPercent: 100 }

test('a program that takes too much memory is ended, and told apart from one that was killed', async () => {
  const greedy = 'const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))'
  const argv = ['node', '-e', greedy]
  const { exit } = await runToEnd(client, spec({ id: 'greedy', image: 'node-24', argv, limits }))
  assert.equal(exit.reason, 'memory')
  assert.equal(exit.sentence, 'was ended because it used more than its 64 MiB of memory')
})

test("Node's heap stays below the memory limit unless the program sets it otherwise", async () => {
  const argv = ['node', '-p', `process.env.NODE_OPTIONS + ' ' + (v8.getHeapStatistics().heap_size_limit >> 20)`]
  const own = { NODE_OPTIONS: '--no-warnings' }
  const first = await runToEnd(client, spec({ id: 'heap', image: 'node-24', argv, limits }))
  assert.match(first.out, /^--max-old-space-size=44 /)
  const second = await runToEnd(client, spec({ id: 'heap', image: 'node-24', argv, limits, env: own }))
  assert.match(second.out, /^--no-warnings /)
})

test('a full disk is an error that the program sees; it is not ended for it', async () => {
  const fill = (path: string) => `dd if=/dev/zero of=${path} bs=1M count=100 2>&1; rm ${path}; echo still here`
  const script = `${fill('/app/big')}; ${fill('/tmp/big')}`
  const little = { ...limits, memoryBytes: 16 * mebibyte }
  const wanted = spec({ id: 'full', argv: ['sh', '-c', script], limits: little, writableBytes: 32 * mebibyte })
  const { exit, out } = await runToEnd(client, wanted)
  assert.equal(exit.code, 0)
  assert.equal(out.match(/No space left on device/g)?.length, 2)
  assert.equal(out.match(/still here/g)?.length, 2)
})

test('too many processes is an error that the program sees', async () => {
  const script = 'for i in $(seq 100); do sleep 5 & done; echo unreachable'
  const { exit, out } = await runToEnd(client, spec({ id: 'forks', argv: ['sh', '-c', script], limits }))
  assert.match(out, /Resource temporarily unavailable/)
  assert.equal(exit.reason, 'exited')
})

test('shared memory is small and counted', async () => {
  const script = 'dd if=/dev/zero of=/dev/shm/x bs=1M count=100 2>&1; sleep 100'
  await client.start(spec({ id: 'shm', argv: ['sh', '-c', script], limits }))
  const deadline = Date.now() + 5000
  let bytes = 0n
  while (bytes < 16 * mebibyte && Date.now() < deadline) bytes = (await client.read())[0]?.memoryBytes ?? 0n
  assert.ok(bytes >= 16 * mebibyte)
  await client.remove({ id: 'shm' })
})

test('a log does not grow without end', async () => {
  const script = 'yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c 30000000'
  const wanted = spec({ id: 'talker', argv: ['sh', '-c', script], limits })
  await client.start(wanted)
  await client.wait({ id: 'talker', timeoutMs: 60_000 })
  const { size, mode } = statSync(client.logPath('talker'))
  assert.ok(size > 0 && size <= 9 * mebibyte, `${size} bytes`)
  assert.equal(mode & 0o777, 0o640)
  assert.match(printed(client, 'talker'), /0123456789/)
  await client.remove({ id: 'talker' })
})
