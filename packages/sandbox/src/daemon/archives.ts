/**
 * Archives: single files taken from scratch disks and kept, such as backups. The node's group reads them in place;
 * sandboxes get them mounted. A note with the hash is written last: a file without one was never finished.
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, statfsSync } from 'node:fs'
import { chmod, chown, mkdir, open, readFile, readdir, rename } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { archivesFolder } from '../verbs.ts'
import type { Archive } from '../verbs.ts'
import type { Instance } from './instance.ts'
import { removeFile } from './mounts.ts'
import { replaceFile } from './records.ts'
import { Refusal } from './refuse.ts'
import { withRoom } from './room.ts'
import { openFileBelow } from './walk.ts'

const chunkBytes = 1024 * 1024

const folder = (at: Instance) => join(at.root, archivesFolder)
const file = (at: Instance, id: string) => join(folder(at), id)
/** No id begins with a dot. */
const note = (at: Instance, id: string) => join(folder(at), `.${id}.json`)

/** Whoever may enter the folder may read its files; a sandbox has a file mounted, and needs no way there. */
export async function prepareArchives(at: Instance): Promise<void> {
  await mkdir(folder(at), { recursive: true })
  await chown(folder(at), 0, at.gid)
  await chmod(folder(at), 0o750)
  const names = await readdir(folder(at))
  const kept = new Set(names.filter((name) => names.includes(`.${name}.json`)).flatMap((id) => [id, `.${id}.json`]))
  for (const name of names) if (!kept.has(name)) await removeFile(join(folder(at), name))
}

export async function archives(at: Instance): Promise<Archive[]> {
  const names = (await readdir(folder(at))).filter((name) => !name.startsWith('.') && existsSync(note(at, name)))
  return Promise.all(names.map((id) => read(at, id)))
}

async function read(at: Instance, id: string): Promise<Archive> {
  return JSON.parse(await readFile(note(at, id), 'utf8')) as Archive
}

export function archiveFile(at: Instance, id: string): string {
  if (existsSync(note(at, id))) return file(at, id)
  throw new Refusal('missing', `there is no archive ${id}; keep it first`)
}

/** Nothing may use the disk meanwhile. */
export async function keepArchive(at: Instance, from: { disk: string; path: string; id: string }): Promise<Archive> {
  const { id, disk, path } = from
  if (existsSync(note(at, id))) return read(at, id)
  const source = await openFileBelow({ top: disk, path })
  const target = join(folder(at), `.keeping-${randomBytes(6).toString('hex')}`)
  try {
    const { size } = await source.stat()
    const space = statfsSync(disk)
    // One large hole takes no room on the disk, and would fill ours.
    if (size > space.blocks * space.bsize)
      throw new Refusal('invalid', `${path} says that it holds ${size} bytes, more than its disk has; write it out`)
    const copied = await withRoom(at, { sizeBytes: size }, () => copy(source, target))
    const archive = { id, ...copied }
    await rename(target, file(at, id))
    await replaceFile(note(at, id), JSON.stringify(archive))
    return archive
  } finally {
    await source.close()
    await removeFile(target)
  }
}

async function copy(source: FileHandle, path: string): Promise<Omit<Archive, 'id'>> {
  const target = await open(path, 'wx', 0o644)
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(chunkBytes)
  let sizeBytes = 0
  try {
    for (;;) {
      const { bytesRead } = await source.read(buffer, 0, chunkBytes, null)
      if (bytesRead === 0) break
      hash.update(buffer.subarray(0, bytesRead))
      await target.writeFile(buffer.subarray(0, bytesRead))
      sizeBytes += bytesRead
    }
    await target.chmod(0o644)
    await target.sync()
  } finally {
    await target.close()
  }
  return { sha256: hash.digest('hex'), sizeBytes }
}

export async function removeArchive(at: Instance, id: string): Promise<void> {
  await removeFile(note(at, id))
  await removeFile(file(at, id))
}
