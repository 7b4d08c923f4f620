import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FakeClock, systemClock } from '../../clock.ts'
import { storedName, WrongIntegrity, type Algorithm, type Digest } from './digest.ts'
import { random } from '../testing/fuzz.ts'
import { openStore, type Held, type Store } from './store.ts'

const scale = Number(process.env['TEST_SCALE'] ?? 1)

async function withStore(
  work: (store: Store, at: { folder: string; damaged: string[]; reopen(): Promise<Store> }) => Promise<void>,
  { maxBytes = 2 ** 30, clock = systemClock } = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'perennial-store-'))
  const damaged: string[] = []
  const reopen = () => openStore({ folder, maxBytes, clock, damaged: (path) => void damaged.push(path) })
  try {
    await work(await reopen(), { folder, damaged, reopen })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function digestOf(bytes: Buffer, algorithm: Algorithm = 'sha512', of?: string): Digest {
  const digest = { algorithm, hex: createHash(algorithm).update(bytes).digest('hex') }
  return of === undefined ? digest : { ...digest, of }
}

/** In pieces, as a network brings it. */
async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 40_000) yield bytes.subarray(at, at + 40_000)
}

async function bytesOf(held: Held | null): Promise<Buffer | null> {
  if (!held) return null
  await using open = held
  const chunks: Buffer[] = []
  for await (const chunk of open.chunks()) chunks.push(Buffer.from(chunk))
  const all = Buffer.concat(chunks)
  assert.equal(all.length, open.sizeBytes)
  return all
}

async function keep(store: Store, bytes: Buffer, digest = digestOf(bytes)): Promise<void> {
  assert.deepEqual(await bytesOf(await store.receive(digest, pieces(bytes), 'a file')), bytes)
}

test('what was kept is found again, after a restart too; what was promised otherwise is not kept', async () => {
  await withStore(async (store, { reopen, folder }) => {
    for (const size of [0, 1, 5000, 300_000, 3_000_000]) {
      const bytes = randomBytes(size)
      await keep(store, bytes)
      assert.deepEqual(await bytesOf(await store.open(digestOf(bytes))), bytes)
      assert.deepEqual(await bytesOf(await (await reopen()).open(digestOf(bytes))), bytes)
      await assert.rejects(keep(store, Buffer.concat([bytes, Buffer.from('x')]), digestOf(bytes)), WrongIntegrity)
    }
    assert.equal(readdirSync(join(folder, 'files')).length, 5)
    assert.deepEqual(readdirSync(join(folder, 'incoming')), [])
  })
})

test('whatever happens to a file on disk, nobody gets other bytes than were promised, and it can be fetched anew', async () => {
  await withStore(async (store, { folder, damaged, reopen }) => {
    const by = random(7)
    const sizes = [1, 100, 4096, 262_144, 262_145, 1_000_000]
    for (let round = 0; round < 60 * scale; round++) {
      const bytes = randomBytes(by.pick(sizes))
      const digest = digestOf(bytes, by.pick(['sha512', 'sha384', 'sha256'] as const))
      await keep(store, bytes, digest)
      const path = join(folder, 'files', storedName(digest))
      const harm = {
        flip() {
          const now = readFileSync(path)
          const at = by.below(now.length)
          now[at] = (now[at] ?? 0) ^ (1 << by.below(8))
          writeFileSync(path, now)
        },
        tear: () => truncateSync(path, by.below(bytes.length)),
        lengthen: () => appendFileSync(path, 'x'),
        lose: () => unlinkSync(path),
      }
      by.pick(Object.values(harm))()
      const now = by.below(2) === 0 ? store : await reopen()
      const before = damaged.length
      assert.equal(await now.open(digest), null)
      assert.ok(damaged.length === before + 1 || !now.has(digest))
      assert.equal(now.has(digest), false)
      await keep(now, bytes, digest)
      assert.deepEqual(await bytesOf(await now.open(digest)), bytes)
      store = now
    }
  })
})

test('a note is told from a torn or exchanged one', async () => {
  await withStore(async (store, { folder }) => {
    await store.keepNote('a', 'of a')
    await store.keepNote('b', 'of b')
    assert.deepEqual([await store.note('a'), await store.note('c')], ['of a', null])
    const [one = '', other = ''] = readdirSync(join(folder, 'notes')).map((name) => join(folder, 'notes', name))
    const text = readFileSync(one)
    writeFileSync(one, readFileSync(other))
    writeFileSync(other, text.subarray(0, 67))
    assert.deepEqual([await store.note('a'), await store.note('b')], [null, null])
    await store.keepNote('a', 'anew')
    assert.equal(await store.note('a'), 'anew')
  })
})

test('a file that has only SHA-1 is found under its own name alone', async () => {
  await withStore(async (store) => {
    const bytes = Buffer.from('old')
    await keep(store, bytes, digestOf(bytes, 'sha1', 'once/-/once-1.0.0.tgz'))
    assert.equal(store.has(digestOf(bytes, 'sha1', 'once/-/once-1.0.0.tgz')), true)
    assert.equal(store.has(digestOf(bytes, 'sha1', 'evil/-/evil-1.0.0.tgz')), false)
  })
})

test('the longest unused files go when room is needed, never more than that, and who reads one reads on', async () => {
  const clock = new FakeClock()
  const room = 40 * 12_288
  await withStore(
    async (store, { reopen, folder }) => {
      const all = Array.from({ length: 60 }, () => randomBytes(5000))
      const reading = all[0] as Buffer
      for (const bytes of all) {
        await clock.advance(1000)
        await keep(store, bytes)
        await bytesOf(await store.open(digestOf(reading)))
        assert.ok(store.usedBytes <= room)
      }
      const kept = all.filter((bytes) => store.has(digestOf(bytes)))
      assert.deepEqual(kept, [reading, ...all.slice(21)])
      const big = randomBytes(400_000)
      await keep(store, big)
      const held = await store.open(digestOf(big))
      await keep(store, randomBytes(300_000))
      assert.equal(store.has(digestOf(big)), false)
      assert.deepEqual(await bytesOf(held), big)
      const again = await reopen()
      assert.equal(again.usedBytes, store.usedBytes)
      assert.equal(readdirSync(join(folder, 'files')).filter((name) => name.includes(digestOf(big).hex)).length, 0)
    },
    { maxBytes: room, clock },
  )
})

test('which files were used last is known after a restart', async () => {
  const clock = new FakeClock()
  await withStore(
    async (store, { reopen, folder }) => {
      const [first, second, third] = [randomBytes(5000), randomBytes(5000), randomBytes(5000)] as const
      for (const bytes of [first, second]) {
        await keep(store, bytes)
        utimesSync(join(folder, 'files', storedName(digestOf(bytes))), clock.now(), clock.now())
      }
      const again = await reopen()
      await clock.advance(2 * 3_600_000)
      await bytesOf(await again.open(digestOf(first)))
      await sleep(20)
      const last = await reopen()
      await keep(last, third)
      assert.deepEqual(
        [first, second, third].map((bytes) => last.has(digestOf(bytes))),
        [true, false, true],
      )
    },
    { maxBytes: 2 * 12_288, clock },
  )
})

test('a node killed at any moment of many downloads leaves only whole files', async () => {
  await withStore(async (_store, { folder, damaged, reopen }) => {
    const writer = `
      import { createHash, randomBytes } from 'node:crypto'
      const { openStore } = await import(${JSON.stringify(new URL('./store.ts', import.meta.url).href)})
      const { systemClock } = await import(${JSON.stringify(new URL('../../clock.ts', import.meta.url).href)})
      const store = await openStore({ folder: process.argv[1], maxBytes: 2 ** 30, clock: systemClock, damaged() {} })
      console.log('ready')
      for (;;) await Promise.all(Array.from({ length: 8 }, async () => {
        const bytes = randomBytes(1 + Math.floor(Math.random() * 400_000))
        const hex = createHash('sha512').update(bytes).digest('hex')
        const held = await store.receive({ algorithm: 'sha512', hex }, (async function* () {
          for (let at = 0; at < bytes.length; at += 20_000) yield bytes.subarray(at, at + 20_000)
        })(), 'x')
        await held[Symbol.asyncDispose]()
        await store.keepNote(hex, hex)
      }))`
    let kept = 0
    for (let kill = 0; kill < 4 * scale; kill++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', writer, folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const closed = once(child, 'close')
      await Promise.race([once(child.stdout, 'data'), closed])
      await sleep(30 + kill * 17)
      assert.equal(child.exitCode, null, 'it ended before it was killed')
      child.kill('SIGKILL')
      await closed
      const store = await reopen()
      for (const name of readdirSync(join(folder, 'files'))) {
        const hex = name.slice('sha512-'.length)
        const held = await store.open({ algorithm: 'sha512', hex })
        assert.ok(held, `${name} is torn`)
        await held[Symbol.asyncDispose]()
        kept++
      }
      assert.deepEqual(damaged, [])
      assert.deepEqual(readdirSync(join(folder, 'incoming')), [])
    }
    assert.ok(kept > 0, 'the control: something was written before the kills')
  })
})
