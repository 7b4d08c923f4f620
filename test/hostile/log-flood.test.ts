import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { hierarchies } from '../../packages/sandbox/src/daemon/cgroup.ts'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { testNeighbour } from './lab/neighbour.ts'
import { mebibyte, spec } from './lab/payload.ts'

/**
 * Whoever prints makes somebody else work: the supervisor, which runs as root outside the sandbox's own limits,
 * copies every line to the disk.
 */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const measureMs = 2000
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** Part of one core that the process used while we looked. */
async function shareOf(pid: number): Promise<number> {
  const usedSeconds = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  }
  const since = { used: usedSeconds(), atMs: Date.now() }
  await sleep(measureMs)
  return ((usedSeconds() - since.used) * 1000) / (Date.now() - since.atMs)
}

test('an app that prints without end makes its supervisor work no more than a tenth of a core', async () => {
  const { client } = cage
  const limits = { memoryBytes: 64 * mebibyte, pids: 64, cpuPercent: 20 }
  const { pid } = await client.start(spec({ id: 'flood', script: 'yes "all work and no play"', limits }))
  const supervisor = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  const share = await shareOf(supervisor)
  assert.ok(share > 0 && share < 0.1, `it used ${share} of a core`)

  // Control: taken out of its control group, the same supervisor works as much as the machine gives it.
  const mounts = hierarchies()
  writeFileSync(join(mounts.get('cpu') ?? mounts.get('unified') ?? '', 'cgroup.procs'), String(supervisor))
  const free = await shareOf(supervisor)
  await client.remove({ id: 'flood' })
  assert.ok(free > 2 * share && free > 0.1, `it used ${free} of a core`)
})

testNeighbour(() => cage, { attack: 'a flood of lines', script: 'yes "all work and no play"' })
