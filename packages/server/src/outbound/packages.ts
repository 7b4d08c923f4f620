/**
 * Packages on disk: documents for some minutes (longer while the registry is away), tarballs by their digest.
 *
 *   <folder>/documents/<sha256 of the name>.json    .tarballs.json beside it
 *   <folder>/tarballs/sha512-<hex>                  only what was verified is ever under this name
 *   <folder>/incoming/                              half-made downloads, emptied at start
 *
 * Only the node writes here; builds read through the door. Losing the folder costs downloads, nothing else.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Clock } from '../clock.ts'
import { documentPath } from './package-path.ts'
import {
  formatTarballs,
  parsePackument,
  parseTarballs,
  type Digest,
  type Packument,
  type Tarball,
} from './packument.ts'
import { RegistryUnreachable, type Registry } from './registry.ts'

export interface Packages {
  /** The document of `name`, or null if the registry knows no such package. */
  document(name: string): Promise<Packument | null>
  /** Path of a verified tarball on disk, or null if the document of `name` lists no such file. */
  tarball(name: string, file: string): Promise<string | null>
}

/** What came is not what the document promised. Nothing of it was kept. */
export class WrongIntegrity extends Error {
  override readonly name = 'WrongIntegrity'
}

const FRESH_MS = 5 * 60_000
const DOCUMENT_TIMEOUT_MS = 30_000
const MAX_DOCUMENT_BYTES = 64 * 2 ** 20
const TARBALL_TIMEOUT_MS = 120_000
const MAX_TARBALL_BYTES = 256 * 2 ** 20
/** Documents kept in memory: a build asks for each tarball right after, and parsing megabytes again would block. */
const REMEMBERED_DOCUMENTS = 64
/** The short form, which is all that installing needs. */
const DOCUMENT_TYPE = 'application/vnd.npm.install-v1+json'

export async function openPackages(options: {
  readonly folder: string
  readonly registry: Registry
  readonly clock: Clock
  /** When tarballs take more, the longest unused go. */
  readonly maxBytes: number
}): Promise<Packages> {
  const { folder, registry, clock, maxBytes } = options
  const at = (...parts: string[]) => join(folder, ...parts)
  await rm(at('incoming'), { recursive: true, force: true })
  for (const part of ['documents', 'tarballs', 'incoming']) await mkdir(at(part), { recursive: true })
  const remembered = new Map<string, { fetchedMs: number; packument: Packument }>()
  const documents = new Map<string, Promise<Packument | null>>()
  const downloads = new Map<string, Promise<void>>()
  let tarballBytes = await trim(at('tarballs'), maxBytes)

  /** Two builds that want the same thing at once wait for one download. */
  function once<T>(running: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
    const found = running.get(key)
    if (found) return found
    const started = work().finally(() => running.delete(key))
    running.set(key, started)
    return started
  }

  const files = (name: string) => {
    const base = at('documents', createHash('sha256').update(name).digest('hex'))
    return { text: `${base}.json`, tarballs: `${base}.tarballs.json` }
  }

  async function stored(name: string): Promise<{ fetchedMs: number; packument: Packument } | null> {
    const known = remembered.get(name)
    if (known) {
      remembered.delete(name)
      remembered.set(name, known)
      return known
    }
    const { text, tarballs } = files(name)
    try {
      const fetchedMs = (await stat(text)).mtimeMs
      const packument = {
        text: await readFile(text, 'utf8'),
        tarballs: parseTarballs(await readFile(tarballs, 'utf8')),
      }
      return remember(name, { fetchedMs, packument })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  function remember<T extends { fetchedMs: number; packument: Packument }>(name: string, entry: T): T {
    remembered.set(name, entry)
    const oldest = remembered.keys().next().value
    if (remembered.size > REMEMBERED_DOCUMENTS && oldest !== undefined) remembered.delete(oldest)
    return entry
  }

  async function document(name: string): Promise<Packument | null> {
    const known = await stored(name)
    if (known && clock.now().getTime() - known.fetchedMs < FRESH_MS) return known.packument
    return await once(documents, name, () =>
      fetchDocument(name).catch((error: unknown) => {
        if (known && error instanceof RegistryUnreachable) return known.packument // Old beats none: versions never change.
        throw error
      }),
    )
  }

  async function fetchDocument(name: string): Promise<Packument | null> {
    const answer = await registry.get(documentPath(name), { accept: DOCUMENT_TYPE, timeoutMs: DOCUMENT_TIMEOUT_MS })
    if (answer.statusCode === 404) {
      answer.resume()
      return null
    }
    ensureOk(answer, name)
    const packument = parsePackument(await readText(answer, MAX_DOCUMENT_BYTES), name)
    const { text, tarballs } = files(name)
    // The index first: a document without its index would be taken for "not stored", never for "no tarballs".
    await store(tarballs, formatTarballs(packument.tarballs))
    await store(text, packument.text)
    const now = clock.now()
    await utimes(text, now, now)
    return remember(name, { fetchedMs: now.getTime(), packument }).packument
  }

  async function store(path: string, text: string): Promise<void> {
    const incoming = at('incoming', randomUUID())
    await writeFile(incoming, text)
    await rename(incoming, path)
  }

  async function tarball(name: string, file: string): Promise<string | null> {
    // A version once published never changes, so any document that lists the file will do.
    const listed = (await stored(name))?.packument.tarballs.get(file) ?? (await document(name))?.tarballs.get(file)
    if (!listed) return null
    const path = at('tarballs', `${listed.digest.algorithm}-${listed.digest.hex}`)
    const now = clock.now()
    const used = await utimes(path, now, now).then(
      () => true,
      () => false,
    )
    if (!used) await once(downloads, path, () => download({ file, tarball: listed, path }))
    return path
  }

  async function download({
    file,
    tarball: from,
    path,
  }: {
    file: string
    tarball: Tarball
    path: string
  }): Promise<void> {
    const answer = await registry.get(tarballUrl(registry.url, from), {
      accept: 'application/octet-stream',
      timeoutMs: TARBALL_TIMEOUT_MS,
    })
    ensureOk(answer, file)
    const incoming = at('incoming', randomUUID())
    try {
      const got = await saveAndHash(answer, { path: incoming, algorithm: from.digest.algorithm })
      if (got !== from.digest.hex)
        throw new WrongIntegrity(
          `${file} is not what its package document promised (${from.digest.algorithm} differs); it was thrown away`,
        )
      tarballBytes += (await stat(incoming)).size
      await rename(incoming, path)
    } finally {
      await rm(incoming, { force: true })
    }
    if (tarballBytes > maxBytes) tarballBytes = await trim(at('tarballs'), maxBytes)
  }

  return { document, tarball }
}

/** The registry may name itself by another scheme or host (a mirror does): the path is taken, the origin is ours. */
function tarballUrl(registry: URL, { url }: Tarball): URL {
  const named = URL.parse(url)
  if (!named) throw new RegistryUnreachable('the package document names a tarball without an address')
  // Set, not resolved: a path that begins with `//` would name another host.
  const at = new URL(registry)
  at.pathname = named.pathname
  return at
}

function ensureOk(answer: IncomingMessage, what: string): void {
  if (answer.statusCode === 200) return
  answer.resume()
  throw new RegistryUnreachable(`the registry answered ${answer.statusCode} for ${what}`)
}

async function readText(answer: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = []
  await pipeline(answer, counter(limit), async (source: AsyncIterable<Buffer>) => {
    for await (const chunk of source) chunks.push(chunk)
  }).catch(unreachable)
  return Buffer.concat(chunks).toString('utf8')
}

async function saveAndHash(
  answer: IncomingMessage,
  to: { path: string; algorithm: Digest['algorithm'] },
): Promise<string> {
  const hash = createHash(to.algorithm)
  await pipeline(
    answer,
    counter(MAX_TARBALL_BYTES, (chunk) => hash.update(chunk)),
    createWriteStream(to.path, { flags: 'wx' }),
  ).catch(unreachable)
  return hash.digest('hex')
}

function counter(limit: number, see: (chunk: Buffer) => void = () => {}): Transform {
  let bytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes > limit) return done(new RegistryUnreachable(`the registry sent more than ${limit / 2 ** 20} MiB`))
      see(chunk)
      done(null, chunk)
    },
  })
}

function unreachable(error: Error): never {
  throw error instanceof RegistryUnreachable
    ? error
    : new RegistryUnreachable(`the registry stopped answering: ${error.message}`, { cause: error })
}

/** Removes the longest unused files until the rest fits, and says how much that is; a reader that has one open keeps it. */
async function trim(folder: string, maxBytes: number): Promise<number> {
  const all = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const path = join(folder, name)
      const found = await stat(path).catch(() => null)
      return { path, bytes: found?.size ?? 0, usedMs: found?.mtimeMs ?? 0 }
    }),
  )
  let total = all.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const { path, bytes } of all.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (total <= maxBytes) break
    await rm(path, { force: true })
    total -= bytes
  }
  return total
}
