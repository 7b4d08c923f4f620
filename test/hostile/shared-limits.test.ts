import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { mebibyte, printed, runPayload, spec } from './lab/payload.ts'
import { answersIn, probeFile } from './lab/probe.ts'

/**
 * Some limits of the kernel are one for all sandboxes together and for root, who made them. Whoever takes it all keeps
 * the others, sandboxd among them, from so much as watching a folder.
 */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

/** In a sandbox: takes as many watchers of files as it gets, at most `most`, says how many, and keeps them. */
const taking = (id: string, { most, seconds }: { most: number; seconds: number }) =>
  spec({
    id,
    image: 'python',
    argv: [
      'python3',
      '-c',
      `import ctypes, time
taken = 0
while taken < ${most} and ctypes.CDLL(None).inotify_init() >= 0: taken += 1
print('taken', taken, flush=True)
time.sleep(${seconds})`,
    ],
    limits: { memoryBytes: 64 * mebibyte, pids: 64, cpuPercent: 100 },
  })
const taken = (said: string) => Number(/^taken (\d+)$/m.exec(said)?.[1])

/** Outside any sandbox, on the cage's disk. */
function takerOutside(name: string, { most, thenWait }: { most: number; thenWait: boolean }): string {
  const file = join(cage.disk, name)
  const call = { name: 'inotify_init1', number: { x64: 294, arm64: 26 }, arguments: [0] }
  writeFileSync(
    file,
    probeFile(
      Array.from({ length: most }, () => call),
      { thenWait },
    ),
    { mode: 0o755 },
  )
  return file
}
const given = (said: Buffer) => answersIn(said).filter((answer) => answer >= 0n).length

test('a sandbox that takes all watchers of files that it can get leaves them to others and to root', async () => {
  const { client } = cage
  await client.start(taking('greedy', { most: 1_000_000, seconds: 60 }))
  while (!printed(client, 'greedy').includes('taken')) await sleep(20)
  assert.ok(taken(printed(client, 'greedy')) > 1000, 'it took more than a machine usually has')
  const other = await runPayload(client, taking('other', { most: 200, seconds: 0 }))
  assert.equal(taken(other.said), 200)
  const root = cage.outside({ argv: [takerOutside('some', { most: 200, thenWait: false })], uid: 0 })
  assert.equal(given(await buffer(root.stdout)), 200)
  await client.remove({ id: 'greedy' })
})

test('control: where all together may have a hundred, the first leaves none', async () => {
  // A user namespace that stands for the machine, and two below it that stand for sandboxes.
  const [greedy, other] = [true, false].map((thenWait) =>
    takerOutside(thenWait ? 'greedy' : 'other', { most: 120, thenWait }),
  )
  const script = `
echo 100 > /proc/sys/user/max_inotify_instances
unshare --user --kill-child=KILL --fork ${greedy} > ${cage.disk}/of-the-greedy & sleep 1
exec unshare --user ${other}`
  const child = cage.outside({
    argv: ['/usr/bin/unshare', '--user', '--map-root-user', '/bin/sh', '-c', script],
    uid: 0,
  })
  const left = given(await buffer(child.stdout))
  await cage.group.endOutside()
  assert.equal(given(readFileSync(join(cage.disk, 'of-the-greedy'))), 100)
  assert.equal(left, 0)
})
