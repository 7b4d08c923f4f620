/**
 * Scratch disks: a place where several sandboxes, one after the other, work on the same files (fetch, then
 * build). Each has its own range of user ids, which every sandbox that mounts it takes over, so that the files
 * of the one belong to the next.
 */
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { hostUid } from './instance.ts'
import type { Instance } from './instance.ts'
import { makeDisk, mountDisk, removeFile, unmount } from './mounts.ts'
import { replaceFile } from './records.ts'
import { scratchDisks } from './room.ts'

export interface Scratch {
  readonly id: string
  readonly index: number
  readonly sizeBytes: number
}

const folder = scratchDisks
const disk = (at: Instance, id: string) => join(folder(at), `${id}.ext4`)
const note = (at: Instance, id: string) => join(folder(at), `${id}.json`)
const point = (at: Instance, id: string) => join(at.run, 'scratch', id)

/** A disk without its note was never finished. */
export async function loadScratches(at: Instance): Promise<Scratch[]> {
  await mkdir(folder(at), { recursive: true, mode: 0o700 })
  const names = await readdir(folder(at))
  const found: Scratch[] = []
  for (const name of names) {
    const id = name.replace(/\.[^.]*$/, '')
    if (names.includes(`${id}.json`) && names.includes(`${id}.ext4`)) {
      if (name.endsWith('.json')) found.push(JSON.parse(await readFile(join(folder(at), name), 'utf8')) as Scratch)
    } else await removeFile(join(folder(at), name))
  }
  return found
}

export async function makeScratch(at: Instance, scratch: Scratch): Promise<void> {
  const { id, index, sizeBytes } = scratch
  await makeDisk(at, { file: disk(at, id), sizeBytes })
  const top = await mountedScratch(at, id)
  await chown(top, hostUid(at, index), hostUid(at, index))
  // Both users of the sandbox may write here; neither has the power to override modes.
  await chmod(top, 0o777)
  await replaceFile(note(at, id), JSON.stringify(scratch))
}

export async function mountedScratch(at: Instance, id: string): Promise<string> {
  await mountDisk({ file: disk(at, id), at: point(at, id) })
  return point(at, id)
}

export async function removeScratch(at: Instance, id: string): Promise<void> {
  await removeFile(note(at, id))
  await unmount(point(at, id))
  if (existsSync(disk(at, id))) await removeFile(disk(at, id))
}
