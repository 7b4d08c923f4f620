import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { mebibyte, printed, spec } from './lab/payload.ts'

/**
 * The kernel notes each connection in one table for the whole machine, and keeps it noted after its end. An app that
 * closes every connection, and somebody who visits it as fast as he can, would fill the table: then nobody connects to
 * anything. All of it in the cage's own network, whose table is its own.
 */
let cage: Cage
let address = ''
before(async () => {
  cage = await openCage()
  const limits = { memoryBytes: 128 * mebibyte, pids: 64, cpuPercent: 100 }
  const program = `require('node:net').createServer((s) => s.on('error', () => 0).end('bye')).listen(8080, () => console.log('open'))`
  const app = await cage.client.start(spec({ id: 'closing', image: 'node-26', argv: ['node', '-e', program], limits }))
  address = app.address
  while (!printed(cage.client, 'closing').includes('open')) await sleep(20)
})
after(() => cage[Symbol.asyncDispose]())

const visits = 3000
const flood = `
const { connect } = require('node:net')
let left = ${visits}
const visit = () => left-- > 0 && connect(8080, process.argv[1]).resume().on('error', () => 0).on('close', visit)
for (let i = 0; i < 50; i++) visit()`
const timeWait = '/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait'
const noted = () => cage.island.run(['cat', '/proc/net/nf_conntrack']).split('dport=8080').length - 1

/** How many connections are noted some time after all of them have ended. */
async function notedAfterFlood(): Promise<number> {
  cage.island.run([process.execPath, '-e', flood, address])
  await sleep(7000)
  return noted()
}

test('connections that have ended are forgotten before they fill the table that all share', async () => {
  const most = await notedAfterFlood()
  assert.ok(most < visits / 10, `${most} were still noted`)
})

test('control: as the kernel has it by default, all of them stay noted', async () => {
  cage.island.run(['sh', '-c', `echo 120 > ${timeWait}`])
  const most = await notedAfterFlood()
  assert.ok(most > visits / 2, `only ${most} were noted`)
})
