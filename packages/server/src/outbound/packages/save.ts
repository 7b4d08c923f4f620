/** Writes what a registry sends to a new file, hashed on its way; a small one reaches the disk only when it is right. */
import { createHash } from 'node:crypto'
import { open, writeFile, type FileHandle } from 'node:fs/promises'
import { WrongIntegrity, type Digest } from './digest.ts'
import { SMALL_BYTES } from './held.ts'

export interface Saved {
  readonly sizeBytes: number
  /** All of it, if it is small. */
  readonly bytes: Buffer | null
}

/** Throws `WrongIntegrity` if it is not what `digest` says; `what` is for its sentence. */
export async function save(
  chunks: AsyncIterable<Buffer>,
  to: { readonly path: string; readonly digest: Digest; readonly what: string },
): Promise<Saved> {
  const { path, digest, what } = to
  const whole = createHash(digest.algorithm)
  /** A network brings 16 KiB at a time; a write costs more than such a piece. */
  let waiting: Buffer[] = []
  let waitingBytes = 0
  let sizeBytes = 0
  let file: FileHandle | undefined
  try {
    for await (const chunk of chunks) {
      whole.update(chunk)
      sizeBytes += chunk.length
      waiting.push(chunk)
      waitingBytes += chunk.length
      if (waitingBytes <= SMALL_BYTES) continue
      file ??= await open(path, 'wx')
      await file.writeFile(Buffer.concat(waiting))
      waiting = []
      waitingBytes = 0
    }
    if (whole.digest('hex') !== digest.hex)
      throw new WrongIntegrity(
        `${what} is not what its registry promised (${digest.algorithm} differs); it was thrown away`,
      )
    const rest = Buffer.concat(waiting)
    if (file) await file.writeFile(rest)
    else await writeFile(path, rest, { flag: 'wx' })
    return { sizeBytes, bytes: file ? null : rest }
  } finally {
    await file?.close()
  }
}
