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
const SMALL_BYTES = 256 * 1024
const CHUNK_BYTES = 128 * 1024
/** Buffers that hashing is done with: large ones cost the collector more than the hash costs. */
const spare: Buffer[] = []
const MOST_SPARE = 16

/** Null if there is no such file or its bytes are others. */
export async function hold(path: string, { algorithm, hex }: Digest): Promise<Held | null> {
  const file = await open(path).catch(whenMissing)
  if (!file) return null
  try {
    const { size } = await file.stat()
    if (size <= SMALL_BYTES) {
      const bytes = await file.readFile()
      await file.close()
      return hash(algorithm, bytes, 'hex') === hex ? inMemory(bytes) : null
    }
    if ((await hashOf(file, algorithm)) === hex) return fromDisk(file, size)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EIO') throw error // A disk that cannot read it has lost it.
  }
  await file.close()
  return null
}

/** For `catch`: a file that is not there is null; too many open files, say, are no reason to throw one away. */
export function whenMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'EIO') return null
  throw error
}

function inMemory(bytes: Buffer): Held {
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
