import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openTestSandbox, runToEnd, spec } from '../testing.ts'
import { tagOf } from './instance.ts'
import { processesOfRoot } from './processes.ts'

const sandbox = await openTestSandbox()
const { client, options } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const parent = `/perennial-${tagOf(options.root)}`
const groups = () =>
  ['/sys/fs/cgroup/memory', '/sys/fs/cgroup']
    .map((top) => top + parent)
    .flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []))
    .filter((name) => name.startsWith('_'))

/** Processes that pack for this daemon. */
const packers = () =>
  processesOfRoot().filter(({ argv }) => argv[0] === 'mksquashfs' && argv.some((word) => word.startsWith(options.root)))

/** A scratch disk with something to pack. */
async function filled(id: string): Promise<string> {
  await client.scratch({ id, sizeBytes: 2 ** 25 })
  const script = `echo ${id} > name; dd if=/dev/urandom of=random bs=1M count=8`
  await runToEnd(client, spec({ id: 'fill', scratch: id, argv: ['sh', '-c', script] }))
  return id
}

async function until(holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; !holds(); await sleep(1))
    assert.ok(Date.now() < deadline, 'it came in time')
}

/** Stops every packer that there is until `isEnough`, so that all of them can be looked at. */
async function hold(isEnough: (held: ReadonlySet<number>) => boolean): Promise<Set<number>> {
  const held = new Set<number>()
  await until(() => {
    for (const { pid } of packers()) {
      if (!held.has(pid)) process.kill(pid, 'SIGSTOP')
      held.add(pid)
    }
    return isEnough(held)
  })
  return held
}

test('what packs a release counts with the sandboxes, and has a limit of its own', async () => {
  const packing = client.pack({ scratch: await filled('one') })
  const [pid] = await hold((held) => held.size === 1)
  // It is taken in a moment after it began.
  await until(() => readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`:${parent}/_packing-`))
  assert.notEqual(groups().length, 0)
  process.kill(pid ?? 0, 'SIGCONT')
  const { sha256 } = await packing
  assert.deepEqual(groups(), [])
  await client.removeRelease({ sha256 })
})

test('what packs for a daemon that was killed is ended by the next one', async () => {
  const packing = client.pack({ scratch: 'one' })
  const [pid] = await hold((held) => held.size === 1)
  await sandbox.crash()
  // The client asked again: another one packs.
  const { sha256 } = await packing
  assert.ok(packers().every((each) => each.pid !== pid))
  assert.deepEqual(groups(), [])
  await client.removeRelease({ sha256 })
})
