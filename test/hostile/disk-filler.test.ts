import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { SandboxRefused } from '../../packages/sandbox/src/client/index.ts'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { testNeighbour } from './lab/neighbour.ts'
import { mebibyte, runPayload, spec } from './lab/payload.ts'

let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const small = 16 * mebibyte
const large = 128 * mebibyte
/** What sandboxd leaves to the machine. */
const reserve = 512 * mebibyte

/** In /tmp and, when that is full, in /app. */
const fill = `
for folder in /tmp /app; do dd if=/dev/zero of=$folder/fill bs=1M count=32 2>&1; done
set -- $(stat -c %s /tmp/fill /app/fill); echo "$(($1 + $2)) bytes"`
const bytes = (said: string) => Number(/^(\d+) bytes$/m.exec(said)?.[1])

test('a sandbox that writes without end finds no more space at its size and goes on running', async () => {
  const { exit, said, reading } = await runPayload(
    cage.client,
    spec({ id: 'fill', script: fill, writableBytes: small }),
  )
  assert.equal(exit.code, 0)
  assert.match(said, /No space left/)
  assert.ok(bytes(said) < small, `it wrote ${bytes(said)} bytes`)
  assert.ok((reading?.diskBytes ?? 0n) <= BigInt(small), 'and its reading says so')
})

test('control: with room for 128 MiB it writes its 64 MiB', async () => {
  const { said } = await runPayload(cage.client, spec({ id: 'fill', script: fill, writableBytes: large }))
  assert.equal(bytes(said), 64 * mebibyte)
})

test('a scratch disk, which is kept, ends at its size too', async () => {
  await cage.client.scratch({ id: 'scratch', sizeBytes: small })
  const { said } = await runPayload(
    cage.client,
    spec({ id: 'fill', script: fill, writableBytes: small, scratch: 'scratch' }),
  )
  await cage.client.removeScratch({ id: 'scratch' })
  assert.ok(bytes(said) < 2 * small, `it wrote ${bytes(said)} bytes`)
})

/** Empty files take no bytes, but each takes an inode. */
const litter = `
mkdir /tmp/many; cd /tmp/many
seq 1 5000 | xargs touch 2>&1 | tail -n 1
echo "$(ls | wc -l) files"`
const files = (said: string) => Number(/^(\d+) files$/m.exec(said)?.[1])

test('empty files are limited as well', async () => {
  const { said } = await runPayload(cage.client, spec({ id: 'litter', script: litter, writableBytes: small }))
  assert.match(said, /No space left/)
  assert.ok(files(said) < 2100, `it made ${files(said)}`)
})

test('control: a larger disk takes them all', async () => {
  const { said } = await runPayload(cage.client, spec({ id: 'litter', script: litter, writableBytes: large }))
  assert.equal(files(said), 5000)
})

/** 24 MiB of lines. */
const flood = 'yes "all work and no play makes jack a dull boy" | head -c 25165824'

test('a sandbox that prints without end gets a log that starts over at 8 MiB', async () => {
  const id = 'flood'
  await cage.client.start(spec({ id, script: flood }))
  await cage.client.wait({ id, timeoutMs: 20_000 })
  const folder = join(cage.at.root, 'logs')
  const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size)
  await cage.client.remove({ id })
  const total = sizes.reduce((sum, size) => sum + size, 0)
  assert.ok(total < 9 * mebibyte, `the logs hold ${total} bytes`)
})

test('control: into a plain file it prints all 24 MiB', async () => {
  const folder = join(cage.disk, 'flood')
  mkdirSync(folder)
  chmodSync(folder, 0o777)
  const child = cage.outside({ argv: ['/bin/sh', '-c', `${flood} > ${folder}/out`], uid: cage.at.firstUid })
  await once(child, 'close')
  assert.equal(statSync(join(folder, 'out')).size, 24 * mebibyte)
})

/** Asks for all that the machine can still give, less this. */
async function takeAllBut(restBytes: number): Promise<void> {
  const space = statfsSync(cage.disk)
  const build = statSync(join(cage.at.root, 'scratch/build.ext4'))
  const promisedBytes = build.size - build.blocks * 512
  const freeBytes = space.bavail * space.bsize - reserve - promisedBytes - restBytes
  await cage.client.scratch({ id: 'rest', sizeBytes: Math.floor(freeBytes / mebibyte) * mebibyte })
}

test('a release is not packed into the reserve', async () => {
  const { client } = cage
  await client.scratch({ id: 'build', sizeBytes: 64 * mebibyte })
  const script = 'dd if=/dev/urandom of=/app/made bs=1M count=24'
  await runPayload(client, spec({ id: 'build', scratch: 'build', script }))
  await takeAllBut(16 * mebibyte)
  await assert.rejects(client.pack({ scratch: 'build' }), /has no room/)
  // Control: when nothing else is promised, it is packed.
  await client.removeScratch({ id: 'rest' })
  const { sha256, sizeBytes } = await client.pack({ scratch: 'build' })
  assert.ok(sizeBytes > 24 * mebibyte)
  await client.removeRelease({ sha256 })
  await client.removeScratch({ id: 'build' })
})

/** Three disks, each as large as half of what the machine has to give. They are sparse: asking costs nothing. */
async function askForThree(): Promise<string[]> {
  const space = statfsSync(cage.disk)
  const share = Math.floor((space.bavail * space.bsize - reserve) / 2 / mebibyte) * mebibyte - 16 * mebibyte
  const given: string[] = []
  for (const id of ['first', 'second', 'third']) {
    try {
      await cage.client.scratch({ id, sizeBytes: share })
      given.push(id)
    } catch (error) {
      assert.ok(error instanceof SandboxRefused && error.code === 'no-room', String(error))
    }
  }
  return given
}

test('disks that are promised to several sandboxes together leave the machine its reserve', async () => {
  const given = await askForThree()
  for (const id of given) await cage.client.removeScratch({ id })
  assert.deepEqual(given, ['first', 'second'])
})

testNeighbour(() => cage, {
  attack: 'a flood of writes, each forced to the disk',
  script: 'while :; do dd if=/dev/zero of=/tmp/fill bs=64k count=100 conv=fsync 2> /dev/null; rm /tmp/fill; done',
})
