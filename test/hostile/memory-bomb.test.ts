import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { openCage } from './cage.ts'
import type { Cage } from './cage.ts'
import { openNeighbour } from './neighbour.ts'
import { mebibyte, runPayload, spec } from './payload.ts'
import { runWeakened } from './weaken.ts'

let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const limited = (mebibytes: number) => ({ memoryBytes: mebibytes * mebibyte, pids: 64, cpuPercent: 100 })

/** Doubles a text until it holds 64 MiB. */
const grow = `awk 'BEGIN { s = "x"; while (length(s) < 67108864) s = s s; print "holds 64 MiB" }'`

test('a process that takes ever more memory is ended, its exit says why, and its neighbour goes on', async () => {
  await using neighbour = await openNeighbour(cage.client)
  const { exit, said } = await runPayload(cage.client, spec({ id: 'grow', argv: shell(grow), limits: limited(32) }))
  assert.equal(said, '')
  assert.equal(exit.reason, 'memory')
  assert.match(exit.sentence, /more than its 32 MiB of memory/)
  assert.ok(neighbour.longestSilenceMs() < 1500, `the neighbour was silent for ${neighbour.longestSilenceMs()} ms`)
})

test('control: the same process with room for 512 MiB gets its 64', async () => {
  const { exit, said } = await runPayload(cage.client, spec({ id: 'grow', argv: shell(grow), limits: limited(512) }))
  assert.equal(said, 'holds 64 MiB\n')
  assert.equal(exit.code, 0)
})

/** Eight processes of 16 MiB each: none of them is large. */
const crowd = `
for i in 1 2 3 4 5 6 7 8; do
  awk 'BEGIN { s = "x"; while (length(s) < 16777216) s = s s; system("usleep 700000"); print "kept" }' &
done
wait`

test('many small processes share one limit', async () => {
  const { said, reading } = await runPayload(cage.client, spec({ id: 'crowd', script: crowd, limits: limited(64) }))
  assert.ok(count(said) < 8, said)
  assert.ok((reading?.oomKills ?? 0) > 0)
})

test('control: with room for 512 MiB all eight stay', async () => {
  const { said } = await runPayload(cage.client, spec({ id: 'crowd', script: crowd, limits: limited(512) }))
  assert.equal(count(said), 8, said)
})

/** Files in memory cost memory, but are no process that could be ended for it. */
const files = 'dd if=/dev/zero of=/dev/shm/fill bs=1M count=40 2>&1; stat -c "%s bytes" /dev/shm/fill'

test('files in shared memory end at 16 MiB with "no space", not with a kill', async () => {
  const { exit, said } = await runPayload(cage.client, spec({ id: 'files', script: files }))
  assert.equal(exit.code, 0)
  assert.match(said, /No space left/)
  assert.match(said, new RegExp(`^${16 * mebibyte} bytes$`, 'm'))
})

test('control: without that size they take 40 MiB', async () => {
  const spacious = spec({ id: 'files', script: files, limits: limited(256) })
  const { said } = await runWeakened(cage, { spec: spacious, weakness: { gone: 'sizes in memory' } })
  assert.match(said, new RegExp(`^${40 * mebibyte} bytes$`, 'm'))
})

/** As the program of the sandbox itself: the shell in between would live on and end with its own code. */
function shell(line: string): string[] {
  return ['sh', '-c', `exec ${line}`]
}

function count(said: string): number {
  return said.split('\n').filter((line) => line === 'kept').length
}
