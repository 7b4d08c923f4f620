import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openTestSandbox, spec } from '../testing.ts'
import type { TestSandbox } from '../testing.ts'
import { ceilingOf } from './ceiling.ts'
import { hierarchies } from './cgroup.ts'
import { tagOf } from './instance.ts'

const gibibyte = 2 ** 30
const mebibyte = 2 ** 20

test('sandboxes leave the machine 15 % of its memory, at least 1 GiB, but never less than half to themselves', () => {
  const memory = (gibibytes: number) => ceilingOf({ memoryBytes: gibibytes * gibibyte, tasks: 32_768 }).memoryBytes
  assert.equal(memory(1), gibibyte / 2)
  assert.equal(memory(4), 3 * gibibyte)
  assert.equal(memory(100), 85 * gibibyte)
})

test('how many sandboxes there can be follows from what is left to the machine', () => {
  assert.equal(ceilingOf({ memoryBytes: 4 * gibibyte, tasks: 4_194_304 }).places, 512)
  assert.equal(ceilingOf({ memoryBytes: 256 * gibibyte, tasks: 32_768 }).places, 4096)
})

test('all sandboxes together have a limit of memory and processes, also after a crash', async () => {
  await using sandbox = await openTestSandbox()
  const check = () => {
    const { memory, pids } = ceiling(sandbox)
    assert.ok(limit(memory) > 0 && limit(memory) <= totalmem() - Math.min(gibibyte, totalmem() / 2), memory)
    assert.ok(limit(pids) <= Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8')) / 2, pids)
  }
  check()
  // What an operator made smaller stays so.
  const { memory } = ceiling(sandbox)
  writeFileSync(memory, String(gibibyte))
  await sandbox.crash()
  check()
  assert.equal(limit(memory), gibibyte)
})

test('when sandboxes together take more than the machine has for them, one is ended, and is not said to be at fault', async () => {
  await using sandbox = await openTestSandbox()
  const { client } = sandbox
  await client.start(spec({ id: 'modest', argv: ['sleep', '1000'] }))
  writeFileSync(ceiling(sandbox).memory, String(96 * mebibyte))
  const limits = { memoryBytes: 512 * mebibyte, pids: 64, cpuPercent: 100 }
  const grow = `awk 'BEGIN { s = "x"; while (length(s) < 268435456) s = s s }'`
  await client.start(spec({ id: 'greedy', argv: ['sh', '-c', `exec ${grow}`], limits }))
  const exit = await client.wait({ id: 'greedy', timeoutMs: 60_000 })
  assert.equal(exit?.reason, 'memory')
  assert.match(exit.sentence, /all sandboxes together/)
  assert.deepEqual(
    (await client.list()).map(({ id, state }) => [id, state]),
    [
      ['modest', 'running'],
      ['greedy', 'exited'],
    ],
  )
})

test('processes of all sandboxes are counted together', async () => {
  await using sandbox = await openTestSandbox()
  const { client } = sandbox
  writeFileSync(ceiling(sandbox).pids, '24')
  // Ten processes each: two sandboxes fit, the third cannot even be made, or not all of it.
  const argv = ['sh', '-c', 'for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait']
  for (const id of ['first', 'second']) await client.start(spec({ id, argv }))
  await client.start(spec({ id: 'third', argv })).catch(() => undefined)
  const current = readFileSync(ceiling(sandbox).pids.replace('pids.max', 'pids.current'), 'utf8')
  assert.ok(Number(current) <= 24, current)
  const states = new Map((await client.list()).map(({ id, state }) => [id, state]))
  assert.deepEqual([states.get('first'), states.get('second')], ['running', 'running'])
})

/** The files that hold the limits of this daemon's sandboxes. */
function ceiling({ options }: TestSandbox): { memory: string; pids: string } {
  const group = `perennial-${tagOf(options.root)}`
  const mounts = hierarchies()
  const at = (controller: string) => join(mounts.get(controller) ?? mounts.get('unified') ?? '', group)
  const v1 = join(at('memory'), 'memory.limit_in_bytes')
  return { memory: existsSync(v1) ? v1 : join(at('memory'), 'memory.max'), pids: join(at('pids'), 'pids.max') }
}

function limit(file: string): number {
  const text = readFileSync(file, 'utf8').trim()
  return text === 'max' ? Infinity : Number(text)
}
