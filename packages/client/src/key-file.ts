/**
 * A secret key in a file that only its owner can read.
 *
 *   perennial secret key, do not share
 *   nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A
 *
 * Lost, the caller becomes a stranger: apps it administers stay as they are, and run for as long as anyone pays.
 */
import { fromBase64Url, keyFromSeed, newId, newSeed, toBase64Url, type Key } from '@perennial/protocol'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

export class KeyFileUnsafe extends Error {
  override readonly name = 'KeyFileUnsafe'
  readonly code = 'key-file-unsafe'
}

const HEADER = 'perennial secret key, do not share'
const PRIVATE = 0o600

/** The key at `path`, made on first use. Refuses a key that others could read. */
export async function loadKey(path: string): Promise<Key> {
  const seed = (await read(path)) ?? (await create(path)) ?? (await read(path))
  if (!seed) throw new KeyFileUnsafe(`${path} comes and goes: something else removes it`)
  return keyFromSeed(seed)
}

/**
 * Undefined when another program made it first. Written aside and then linked, so that nobody, a killed process
 * included, ever leaves or reads half a key.
 */
async function create(path: string): Promise<Uint8Array | undefined> {
  const seed = newSeed()
  const aside = `${path}.${newId()}`
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  try {
    await using file = await open(aside, 'wx', PRIVATE)
    await file.writeFile(`${HEADER}\n${toBase64Url(seed)}\n`)
    await file.sync()
    await link(aside, path)
    return seed
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined
    throw error
  } finally {
    await rm(aside, { force: true })
  }
}

async function read(path: string): Promise<Uint8Array | undefined> {
  try {
    await using file = await open(path, 'r')
    const { mode } = await file.stat()
    if ((mode & 0o077) !== 0) throw new KeyFileUnsafe(`others may read ${path}: run chmod 600 ${path}`)
    const [header, seed = ''] = (await file.readFile('utf8')).split('\n')
    if (header !== HEADER) throw new KeyFileUnsafe(`${path} is not a key file: move it away to have a new one made`)
    return fromBase64Url(seed)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
