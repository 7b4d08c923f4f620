/** Releases: squashfs files named by their SHA-256, packed from scratch disks, mounted once for all that run them. */
import { existsSync, statfsSync } from 'node:fs'
import { lstat, mkdir, readdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { releasesFolder } from '../verbs.ts'
import type { Release } from '../verbs.ts'
import { sha256File } from './images.ts'
import type { Instance } from './instance.ts'
import { mountImage, removeFile, unmount } from './mounts.ts'
import { Refusal } from './refuse.ts'
import { refuseWithoutRoom } from './room.ts'
import { run } from './run.ts'
import { squash } from './squash.ts'

const folder = (at: Instance) => join(at.root, releasesFolder)
const file = (at: Instance, sha256: string) => join(folder(at), `${sha256}.sqfs`)
const point = (at: Instance, sha256: string) => join(at.run, 'releases', sha256)
const temporary = '.packing-'

let packed = 0

export async function prepareReleases(at: Instance): Promise<void> {
  await mkdir(folder(at), { recursive: true, mode: 0o755 })
  for (const name of await readdir(folder(at))) if (name.startsWith(temporary)) await removeFile(join(folder(at), name))
}

/**
 * Modes become a+rwX: at run time the files below /app belong to nobody whom the app's user namespace knows,
 * so without write bits it could not even copy them up into its own layer.
 */
export async function packRelease(at: Instance, source: { disk: string; path: string | undefined }): Promise<Release> {
  const from = await folderOnDisk(source)
  refuseWithoutRoom(at, { sizeBytes: await sizeWithoutHoles(from, source.disk) })
  const target = join(folder(at), `${temporary}${process.pid}-${++packed}`)
  try {
    await squash({ folder: from, file: target, chmod: 'a+rwX,u-s,g-s,o-t' })
    const sha256 = await sha256File(target)
    const { size } = await stat(target)
    await rename(target, file(at, sha256))
    return { sha256, sizeBytes: size }
  } finally {
    await removeFile(target)
  }
}

/**
 * A file of one large hole takes no room on a disk, and hours of this machine to read. What a disk truly holds is
 * never larger than the disk.
 */
async function sizeWithoutHoles(folder: string, disk: string): Promise<number> {
  const space = statfsSync(disk)
  const sizeBytes = Number.parseInt(await run('du', ['-s', '--apparent-size', '--block-size=1', '--', folder]), 10)
  if (sizeBytes <= space.blocks * space.bsize) return sizeBytes
  throw new Refusal(
    'invalid',
    `the files say that they hold ${sizeBytes} bytes, more than their disk has; write them out`,
  )
}

/** Walks down part by part: a link planted by the build would lead out of its disk. */
async function folderOnDisk({ disk, path }: { disk: string; path: string | undefined }): Promise<string> {
  let at = disk
  for (const part of path?.split('/') ?? []) {
    at = join(at, part)
    const found = await lstat(at).catch(() => undefined)
    if (!found) throw new Refusal('missing', `the scratch disk has no folder ${path}`)
    if (!found.isDirectory()) throw new Refusal('invalid', `${path} is not a folder of the scratch disk`)
  }
  return at
}

export async function releases(at: Instance): Promise<Release[]> {
  const names = (await readdir(folder(at))).filter((name) => /^[0-9a-f]{64}\.sqfs$/.test(name))
  return Promise.all(
    names.map(async (name) => ({ sha256: name.slice(0, 64), sizeBytes: (await stat(join(folder(at), name))).size })),
  )
}

export async function mountedRelease(at: Instance, sha256: string): Promise<string> {
  if (!existsSync(file(at, sha256))) throw new Refusal('missing', `there is no release ${sha256}; pack it first`)
  await mountImage({ file: file(at, sha256), at: point(at, sha256) })
  return point(at, sha256)
}

export async function unmountRelease(at: Instance, sha256: string): Promise<void> {
  await unmount(point(at, sha256))
}

export async function removeRelease(at: Instance, sha256: string): Promise<void> {
  await unmountRelease(at, sha256)
  await removeFile(file(at, sha256))
}
