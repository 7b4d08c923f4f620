/**
 * One stored file, opened and found to be what its digest says, for one reading.
 *
 * A small file is read into memory once, hashed there, and sent from there. A large one is hashed chunk by chunk and
 * then sent from the same open file: nobody writes to a stored file, and its name may meanwhile go to another.
 */
import { createHash, hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import type { Digest } from './digest.ts'

export interface Held extends AsyncDisposable {
  readonly sizeBytes: number
  chunks(): AsyncIterable<Buffer>
}

/** Larger ones are not held in memory, however many are sent at once. */
export const SMALL_BYTES = 256 * 1024
const CHUNK_BYTES = 128 * 1024
/** Buffers that hashing is done with: large ones cost the collector more than the hash costs. */
const spare: Buffer[] = []
const MOST_SPARE = 16

/** A large file that was hashed on its way to the disk a moment ago. */
export async function holdNew(path: string, sizeBytes: number): Promise<Held> {
  return fromDisk(await open(path), sizeBytes)
}

/** Null if there is no such file or its bytes are others. */
export async function hold(path: string, stored: { digest: Digest; sizeBytes: number }): Promise<Held | null> {
  const file = await open(path).catch(whenMissing)
  if (!file) return null
  const { digest, sizeBytes } = stored
  let kept = false
  try {
    if (sizeBytes <= SMALL_BYTES) {
      const bytes = await readExactly(file, sizeBytes)
      return bytes && hash(digest.algorithm, bytes, 'hex') === digest.hex ? inMemory(bytes) : null
    }
    kept = (await hashOf(file, digest.algorithm)) === digest.hex
    return kept ? fromDisk(file, sizeBytes) : null
  } catch (error) {
    return whenMissing(error as NodeJS.ErrnoException)
  } finally {
    if (!kept) await file.close()
  }
}

/**
 * For `catch`: what is not there, or what the disk cannot read any more, is null; too many open files, say, are no
 * reason to throw a good one away.
 */
export function whenMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'EIO') return null
  throw error
}

export function inMemory(bytes: Buffer): Held {
  return {
    sizeBytes: bytes.length,
    async *chunks() {
      yield bytes
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

function fromDisk(file: FileHandle, sizeBytes: number): Held {
  return {
    sizeBytes,
    chunks: () => readAll(file),
    [Symbol.asyncDispose]: () => file.close(),
  }
}

/** Null if it is shorter or longer; one call for each small file is most of what handing it out costs. */
async function readExactly(file: FileHandle, sizeBytes: number): Promise<Buffer | null> {
  const buffer = Buffer.allocUnsafe(sizeBytes + 1)
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
  return bytesRead === sizeBytes ? buffer.subarray(0, sizeBytes) : null
}

async function hashOf(file: FileHandle, algorithm: string): Promise<string> {
  const whole = createHash(algorithm)
  const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
  try {
    for (let at = 0; ;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) return whole.digest('hex')
      whole.update(buffer.subarray(0, bytesRead))
      at += bytesRead
    }
  } finally {
    if (spare.length < MOST_SPARE) spare.push(buffer)
  }
}

async function* readAll(file: FileHandle): AsyncGenerator<Buffer> {
  for (let at = 0; ;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(CHUNK_BYTES), 0, CHUNK_BYTES, at)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}
