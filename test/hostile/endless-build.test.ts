import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { kill } from './lab/limits.ts'
import { mebibyte, spec } from './lab/payload.ts'

/**
 * A build that never ends and does what it can to outlive its time: it ignores signals and leaves processes behind
 * that no longer know their parent. What the node does with builds is this: wait for so long, then stop.
 */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const buildTimeoutMs = 1500
/** Of each process below: what it is called in `/proc/<pid>/cmdline`. */
const mark = 'outlives-its-build'
const build = `
trap '' TERM INT HUP QUIT
beat() { while :; do echo beat; sleep 0.05; done; }
setsid sh -c "trap '' TERM; while :; do sleep 1; done # ${mark}" &
(setsid sh -c "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) # ${mark}" &)
nohup sh -c "while :; do sleep 1; done # ${mark}" > /dev/null 2>&1 &
beat`

/** Processes of this payload anywhere on the machine that run as `uid`. */
function survivors(uid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark) &&
          readFileSync(`/proc/${pid}/status`, 'utf8').includes(`\nUid:\t${uid}\t`)
        )
      } catch {
        // It ended while we looked.
        return false
      }
    })
    .map(Number)
}

const beats = (id: string) => readFileSync(cage.client.logPath(id), 'utf8').split('beat').length

test('a build that ignores signals and leaves daemons behind ends with its time-out, all of it', async () => {
  const { client } = cage
  const id = 'build'
  await client.scratch({ id: 'source', sizeBytes: 16 * mebibyte })
  const { pid } = await client.start(spec({ id, scratch: 'source', script: build }))
  const uid = Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  assert.equal(await client.wait({ id, timeoutMs: buildTimeoutMs }), null, 'it would go on')
  assert.ok(survivors(uid).length >= 3, 'its daemons run')

  const since = Date.now()
  const { exit } = await client.stop({ id, graceMs: 500 })
  assert.ok(Date.now() - since < 10_000, `stopping took ${Date.now() - since} ms`)
  assert.equal(exit?.reason, 'killed')
  assert.deepEqual(survivors(uid), [])
  assert.equal(cage.group.pids(id), 0)
  const said = beats(id)
  await sleep(200)
  assert.equal(beats(id), said, 'it says nothing more')

  await client.remove({ id })
  // Nothing holds its disk any more.
  await client.removeScratch({ id: 'source' })
})

test('control: without the time-out it is there as long as one looks', async () => {
  const { client } = cage
  const id = 'build'
  await client.start(spec({ id, script: build }))
  await sleep(2 * buildTimeoutMs)
  const said = beats(id)
  await sleep(300)
  assert.ok(beats(id) > said)
  await client.remove({ id })
})

test('control: outside a sandbox, what the build started outlives its end', async () => {
  const uid = cage.at.firstUid + 950 * 65_536
  const child = cage.outside({ argv: ['/bin/sh', '-c', build], uid })
  const deadline = Date.now() + 5000
  while (survivors(uid).length < 3 && Date.now() < deadline) await sleep(20)
  child.kill('SIGKILL')
  await sleep(500)
  const left = survivors(uid)
  left.forEach(kill)
  assert.ok(left.length >= 3, `${left.length} were left`)
})
