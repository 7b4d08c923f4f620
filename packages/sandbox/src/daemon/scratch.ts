/**
 * Scratch disks: a place where several sandboxes, one after the other, work on the same files (fetch, then
 * build). Each has its own range of user ids, which every sandbox that mounts it takes over, so that the files
 * of the one belong to the next.
 */
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hostUid } from './instance.ts'
import type { Instance } from './instance.ts'
import type { Locks } from './locks.ts'
import { ignoreMissing, isMounted, makeDisk, mountDisk, mountOverlay, removeFile, unmount } from './mounts.ts'
import { replaceFile } from './records.ts'
import { mountedRelease, releaseLock } from './releases.ts'
import { scratchDisks } from './room.ts'

export interface Scratch {
  readonly id: string
  readonly index: number
  readonly sizeBytes: number
  /** A release whose files are seen below what is written. */
  readonly base?: string
}

/** Where its files are seen, and, with a base, those that were written. */
export interface Place {
  readonly disk: string
  readonly written?: string
}

const folder = scratchDisks
const disk = (at: Instance, id: string) => join(folder(at), `${id}.ext4`)
const note = (at: Instance, id: string) => join(folder(at), `${id}.json`)
const points = (at: Instance) => join(at.run, 'scratch')
const point = (at: Instance, id: string) => join(points(at), id)
/** Beside the disk's own point: no id begins so. */
const mergedPoint = (at: Instance, id: string) => join(points(at), `_${id}`)

/**
 * A disk without its note was never finished, or is half removed. It may still be mounted, by a daemon that was killed
 * in between: the next disk of that id must not be taken for it.
 */
export async function loadScratches(at: Instance): Promise<Scratch[]> {
  await mkdir(folder(at), { recursive: true, mode: 0o700 })
  await mkdir(points(at), { recursive: true })
  const names = await readdir(folder(at))
  const found: Scratch[] = []
  for (const name of names.filter((each) => each.endsWith('.ext4'))) {
    const scratch = await readNote(at, name.slice(0, -'.ext4'.length))
    if (scratch) found.push(scratch)
  }
  const kept = new Set(found.flatMap(({ id }) => [id, `_${id}`, `${id}.ext4`, `${id}.json`]))
  for (const id of await readdir(points(at))) if (!kept.has(id)) await unmount(point(at, id))
  for (const name of names) if (!kept.has(name)) await removeFile(join(folder(at), name))
  return found
}

async function readNote(at: Instance, id: string): Promise<Scratch | undefined> {
  try {
    return JSON.parse(await readFile(note(at, id), 'utf8')) as Scratch
  } catch (error) {
    if (!(error instanceof SyntaxError)) ignoreMissing(error as NodeJS.ErrnoException)
    return undefined
  }
}

export async function makeScratch(at: Instance, scratch: Scratch): Promise<void> {
  const { id, index, sizeBytes, base } = scratch
  await makeDisk(at, { file: disk(at, id), sizeBytes })
  await mountDisk({ file: disk(at, id), at: point(at, id) })
  if (base !== undefined) for (const name of ['upper', 'work']) await mkdir(join(point(at, id), name))
  const top = base === undefined ? point(at, id) : join(point(at, id), 'upper')
  await chown(top, hostUid(at, index), hostUid(at, index))
  // Both users of the sandbox may write here; neither has the power to override modes.
  await chmod(top, 0o777)
  await replaceFile(note(at, id), JSON.stringify(scratch))
}

export async function mountedScratch(at: Instance, scratch: Scratch, locks: Locks): Promise<Place> {
  const { id, base } = scratch
  const top = point(at, id)
  await mountDisk({ file: disk(at, id), at: top })
  if (base === undefined) return { disk: top }
  const place = { disk: mergedPoint(at, id), written: join(top, 'upper') }
  if (isMounted(place.disk)) return place
  const work = join(top, 'work')
  // After a restart of the machine the kernel would not trust a layer that never synced. Neither is the disk synced.
  await rm(join(work, 'work/incompat'), { recursive: true, force: true })
  await locks.hold(releaseLock(base), async () => {
    const lower = await mountedRelease(at, base)
    await mountOverlay({ lower, upper: place.written, work, at: place.disk })
  })
  return place
}

export async function removeScratch(at: Instance, id: string): Promise<void> {
  await removeFile(note(at, id))
  await unmount(mergedPoint(at, id))
  await unmount(point(at, id))
  if (existsSync(disk(at, id))) await removeFile(disk(at, id))
}
