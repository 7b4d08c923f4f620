import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCage } from './lab/cage.ts'
import type { Cage, Outsider } from './lab/cage.ts'
import { printed, spec } from './lab/payload.ts'

let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

/** Everybody whom it may signal, then everybody it can name. */
const massacre = `
kill -9 -1 2> /dev/null
i=1; while [ $i -lt 3000 ]; do [ $i = $$ ] || kill -9 $i 2> /dev/null; i=$((i + 1)); done
echo survived`

function openBystander(uid: number): Outsider {
  return cage.outside({ argv: ['/bin/sleep', '60'], uid })
}
const isGone = (child: Outsider) => child.exitCode !== null || child.signalCode !== null

function userOf(pid: number): number {
  return Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

test('a sandbox signals nobody outside: not its supervisor, not the daemon, not a neighbour, not its own user on the host', async () => {
  const { client } = cage
  await client.start(spec({ id: 'neighbour', script: 'sleep 60' }))
  // The bystander needs a moment to be there.
  const { pid } = await client.start(spec({ id: 'killer', script: `sleep 1\n${massacre}` }))
  const bystander = openBystander(userOf(pid))
  const exit = await client.wait({ id: 'killer', timeoutMs: 15_000 })
  assert.ok(!isGone(bystander), 'a process of its own user, outside, lives')
  bystander.kill('SIGKILL')
  assert.match(printed(client, 'killer'), /survived/)
  assert.equal(exit?.sentence, 'exited with code 0', 'its supervisor lived to keep its exit')
  assert.ok((await client.list()).some(({ id, state }) => id === 'neighbour' && state === 'running'))
  await client.remove({ id: 'neighbour' })
  await client.remove({ id: 'killer' })
})

test('control: outside a sandbox the same lines end a process of the same user', async () => {
  // A user that nothing on this machine has: neither people nor sandboxes are numbered like this.
  const uid = 0x3000_0000 + process.pid
  const bystander = openBystander(uid)
  await sleep(200)
  assert.ok(!isGone(bystander))
  const killer = cage.outside({ argv: ['/bin/sh', '-c', 'kill -9 -1'], uid })
  const deadline = Date.now() + 5000
  while (!(isGone(bystander) && isGone(killer)) && Date.now() < deadline) await sleep(20)
  assert.equal(bystander.signalCode, 'SIGKILL')
})
