/**
 * Files on the node's disk that all builds share and none can poison: each lies under the hash of its bytes and is
 * handed out only after the bytes were hashed again.
 *
 *   <folder>/files/sha512-<hex>     what a registry's digest names (digest.ts)
 *   <folder>/notes/<hash of a key>  a small text of our own, its SHA-256 in front
 *   <folder>/incoming/              half-made files, removed at start
 *
 * Only the node writes here; builds read through the door. A file comes to its name by a rename, so a kill leaves it
 * whole or not there; after a power failure it may be torn, which the hash notices, so nothing waits for the disk.
 * Losing the folder costs downloads, nothing else. The longest unused files go when all take more than their room.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { sha256, storedName, type Digest } from './digest.ts'
import { hold, holdNew, inMemory, whenMissing, type Held } from './held.ts'
import { save } from './save.ts'

export type { Held } from './held.ts'

export interface Store {
  has(digest: Digest): boolean
  /** The file, its bytes just checked; null if it is not kept. A damaged one is thrown away and null, too. */
  open(digest: Digest): Promise<Held | null>
  /** Keeps what `chunks` yields if it is what `digest` says, else throws `WrongIntegrity`. `what` is for its sentence. */
  receive(digest: Digest, chunks: AsyncIterable<Buffer>, what: string): Promise<Held>
  /** A path for a file that the node makes itself; `adopt` takes it in, or whoever asked removes it. */
  incoming(): string
  adopt(path: string, made: { readonly digest: Digest; readonly sizeBytes: number }): Promise<void>
  note(key: string): Promise<string | null>
  keepNote(key: string, text: string): Promise<void>
  readonly usedBytes: number
}

export interface StoreOptions {
  readonly folder: string
  readonly maxBytes: number
  readonly clock: Clock
  /** Told of each file that was not what it should be. */
  readonly damaged: (path: string) => void
}

interface Entry {
  readonly sizeBytes: number
  /** What it takes on disk. */
  readonly bytes: number
  /** As the file's time says; behind by an hour at most. */
  usedMs: number
}

/** A file takes whole blocks, and its name, too. */
const BLOCK_BYTES = 4096
/** One write of a file's time in this span says well enough when it was last of use. */
const TOUCH_MS = 3_600_000
const STATS_AT_ONCE = 256

export async function openStore({ folder, maxBytes, clock, damaged }: StoreOptions): Promise<Store> {
  const at = (...parts: string[]) => join(folder, ...parts)
  await rm(at('incoming'), { recursive: true, force: true })
  for (const part of ['files', 'notes', 'incoming']) await mkdir(at(part), { recursive: true })
  /** By path below the folder; the longest unused first. */
  const entries = await found(folder)
  let usedBytes = 0
  for (const { bytes } of entries.values()) usedBytes += bytes
  await shrink()

  /** The entry, now the last to go. */
  function used(path: string): Entry | undefined {
    const entry = entries.get(path)
    if (!entry) return undefined
    entries.delete(path)
    entries.set(path, entry)
    const now = clock.now()
    if (now.getTime() - entry.usedMs > TOUCH_MS) {
      entry.usedMs = now.getTime()
      utimes(at(path), now, now).catch(() => forget(path, entry))
    }
    return entry
  }

  function forget(path: string, entry: Entry): void {
    if (entries.get(path) !== entry) return // Another file has come to this name.
    entries.delete(path)
    usedBytes -= entry.bytes
  }

  async function discard(path: string, entry: Entry): Promise<void> {
    if (entries.get(path) !== entry) return
    forget(path, entry)
    await rm(at(path), { force: true })
    damaged(at(path))
  }

  async function take(from: string, path: string, sizeBytes: number): Promise<void> {
    await rename(from, at(path))
    const before = entries.get(path)
    if (before) forget(path, before)
    const entry = { sizeBytes, bytes: onDisk(sizeBytes), usedMs: clock.now().getTime() }
    entries.set(path, entry)
    usedBytes += entry.bytes
    await shrink()
  }

  async function shrink(): Promise<void> {
    while (usedBytes > maxBytes) {
      const [oldest] = entries
      if (!oldest) return
      forget(...oldest)
      await rm(at(oldest[0]), { force: true }) // Who has it open reads on.
    }
  }

  return {
    has: (digest) => entries.has(`files/${storedName(digest)}`),
    async open(digest) {
      const path = `files/${storedName(digest)}`
      const entry = used(path)
      if (!entry) return null
      const held = await hold(at(path), { digest, sizeBytes: entry.sizeBytes })
      if (!held) await discard(path, entry)
      return held
    },
    async receive(digest, chunks, what) {
      const incoming = at('incoming', randomUUID())
      const path = `files/${storedName(digest)}`
      try {
        const { sizeBytes, bytes } = await save(chunks, { path: incoming, digest, what })
        const held = bytes ? inMemory(bytes) : await holdNew(incoming, sizeBytes)
        try {
          await take(incoming, path, sizeBytes)
          return held
        } catch (error) {
          await held[Symbol.asyncDispose]()
          throw error
        }
      } catch (error) {
        await rm(incoming, { force: true })
        throw error
      }
    },
    incoming: () => at('incoming', randomUUID()),
    adopt: (path, { digest, sizeBytes }) => take(path, `files/${storedName(digest)}`, sizeBytes),
    async note(key) {
      const path = `notes/${sha256(key)}`
      const entry = used(path)
      if (!entry) return null
      const text = (await readFile(at(path), 'utf8').catch(whenMissing)) ?? ''
      if (sha256(key + text.slice(65)) === text.slice(0, 64)) return text.slice(65)
      await discard(path, entry)
      return null
    },
    async keepNote(key, text) {
      const incoming = at('incoming', randomUUID())
      await writeFile(incoming, `${sha256(key + text)}\n${text}`)
      await take(incoming, `notes/${sha256(key)}`, 65 + Buffer.byteLength(text))
    },
    get usedBytes() {
      return usedBytes
    },
  }
}

function onDisk(sizeBytes: number): number {
  return (Math.ceil(sizeBytes / BLOCK_BYTES) + 1) * BLOCK_BYTES
}

/** All files below, the longest unused first. */
async function found(folder: string): Promise<Map<string, Entry>> {
  const all: [string, Entry][] = []
  for (const part of ['files', 'notes']) {
    const names = await readdir(join(folder, part))
    for (let i = 0; i < names.length; i += STATS_AT_ONCE)
      all.push(
        ...(await Promise.all(
          names.slice(i, i + STATS_AT_ONCE).map(async (name): Promise<[string, Entry]> => {
            const { size, mtimeMs } = await stat(join(folder, part, name))
            return [`${part}/${name}`, { sizeBytes: size, bytes: onDisk(size), usedMs: mtimeMs }]
          }),
        )),
      )
  }
  return new Map(all.toSorted(([, a], [, b]) => a.usedMs - b.usedMs))
}
