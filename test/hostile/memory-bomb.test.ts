import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { testNeighbour } from './lab/neighbour.ts'
import { mebibyte, runPayload, spec } from './lab/payload.ts'
import { runWeakened } from './lab/weaken.ts'

let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const limited = (mebibytes: number) => ({ memoryBytes: mebibytes * mebibyte, pids: 64, cpuPercent: 100 })

/** Doubles a text until it holds 64 MiB. */
const grow = `awk 'BEGIN { s = "x"; while (length(s) < 67108864) s = s s; print "holds 64 MiB" }'`

test('a process that takes ever more memory is ended, and its exit says why', async () => {
  const { exit, said } = await runPayload(cage.client, spec({ id: 'grow', argv: shell(grow), limits: limited(32) }))
  assert.equal(said, '')
  assert.equal(exit.reason, 'memory')
  assert.match(exit.sentence, /more than its 32 MiB of memory/)
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

test('files in shared memory end at 16 MiB for want of space, not with a kill', async () => {
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

/**
 * What was sent and is not read lies in the kernel, in buffers of sockets. Unless they are counted, sixty connections
 * to oneself hold some two hundred MiB, and a few hundred more all that the machine has for TCP.
 */
const unread = `
import { connect, createServer } from 'node:net'
createServer((socket) => socket.pause()).listen(7000, '127.0.0.1')
const chunk = Buffer.alloc(65536)
let held = 0
for (let i = 0; i < 60; i++) {
  const socket = connect(7000, '127.0.0.1')
  const send = () => { while (socket.write(chunk)) held += chunk.length }
  socket.on('connect', send).on('drain', send).on('error', () => undefined)
}
setTimeout(() => { console.log(Math.floor(held / 1048576)); process.exit() }, 2500)`
const sockets = (mebibytes: number) =>
  spec({
    id: 'sockets',
    image: 'node-26',
    argv: ['node', '--input-type=module', '-e', unread],
    limits: limited(mebibytes),
  })

test('memory in the kernel’s buffers of sockets is limited too', async () => {
  const { said } = await runPayload(cage.client, sockets(128))
  assert.ok(Number(said) < 64, `${said} MiB were held`)
})

test('control: with room for 768 MiB the same sockets hold more than 100', async () => {
  const { said } = await runPayload(cage.client, sockets(768))
  assert.ok(Number(said) > 100, `only ${said} MiB were held`)
})

testNeighbour(() => cage, {
  attack: 'memory bombs, one after the other',
  script: `for i in 1 2 3 4; do (while :; do awk 'BEGIN { s = "x"; while (1) s = s s }'; done) & done; wait`,
})

/** As the program of the sandbox itself: the shell in between would live on and end with its own code. */
function shell(line: string): string[] {
  return ['sh', '-c', `exec ${line}`]
}

function count(said: string): number {
  return said.split('\n').filter((line) => line === 'kept').length
}
