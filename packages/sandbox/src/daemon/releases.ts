/** Releases: squashfs files named by their SHA-256, packed from scratch disks, mounted once for all that run them. */
import { existsSync, statfsSync } from 'node:fs'
import { lstat, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { releasesFolder } from '../verbs.ts'
import type { Release } from '../verbs.ts'
import { allDone } from './all-done.ts'
import type { Cgroups } from './cgroup.ts'
import { sha256File } from './images.ts'
import type { Instance } from './instance.ts'
import type { Locks } from './locks.ts'
import { mountImage, removeFile, unmount } from './mounts.ts'
import { packing } from './packing.ts'
import { publish } from './publish.ts'
import { Refusal } from './refuse.ts'
import { withRoom } from './room.ts'
import { run } from './run.ts'
import { squash } from './squash.ts'

const folder = (at: Instance) => join(at.root, releasesFolder)
const file = (at: Instance, sha256: string) => join(folder(at), `${sha256}.sqfs`)
const mounted = (at: Instance) => join(at.run, 'releases')
const point = (at: Instance, sha256: string) => join(mounted(at), sha256)
const temporary = '.packing-'
const filesOf = (at: Instance, sha256: string) => join(folder(at), `${sha256}.files`)
const manifestProgram = fileURLToPath(new URL('manifest.ts', import.meta.url))
const listTimeoutMs = 10 * 60_000
/** That one packing takes apart from the rest. */
const maxFolders = 1000

/** What to pack. */
export interface Source {
  /** Where its files are seen. */
  readonly disk: string
  /** Those that were written to the disk itself, where others are seen with them. */
  readonly written?: string
  readonly path: string | undefined
  readonly only: string | undefined
}

let packed = 0

/** Held while a release is mounted, unmounted, removed or put in its place. */
export const releaseLock = (sha256: string) => `release ${sha256}`

export async function prepareReleases(at: Instance): Promise<void> {
  await mkdir(folder(at), { recursive: true, mode: 0o755 })
  const names = await readdir(folder(at))
  const isWhole = (name: string) => !name.endsWith('.files') || names.includes(name.replace(/files$/, 'sqfs'))
  for (const name of names) if (name.startsWith(temporary) || !isWhole(name)) await removeFile(join(folder(at), name))
}

/**
 * Modes become a+rwX: at run time the files below /app belong to nobody whom the app's user namespace knows,
 * so without write bits it could not even copy them up into its own layer.
 */
export async function packRelease(
  at: Instance,
  source: Source,
  { locks, cgroups }: { locks: Locks; cgroups: Cgroups },
): Promise<Release> {
  const from = await folderOnDisk(source)
  const sizeBytes = await sizeWithoutHoles(from, source)
  const only = source.only === undefined ? undefined : await foldersNamed(source.only, from)
  const target = join(folder(at), `${temporary}${process.pid}-${++packed}`)
  const list = `${target}.files`
  const makeList = (begun: (pid: number) => void) => {
    const argv = ['-n', '10', process.execPath, '--max-old-space-size=768', manifestProgram, '.', list]
    return run('nice', argv, { cwd: from, timeoutMs: listTimeoutMs, input: only?.join('\0') ?? '', begun })
  }
  const pack = (begun: (pid: number) => void) =>
    squash({ folder: from, file: target, chmod: 'a+rwX,u-s,g-s,o-t', begun, ...(only && { only }) })
  try {
    const both = () => allDone([packing(at, cgroups, pack), packing(at, cgroups, makeList)])
    await withRoom(at, { sizeBytes }, both)
    const sha256 = await sha256File(target)
    const { size } = await stat(target)
    // Not while the same release is removed: what is answered here is there.
    await locks.hold(releaseLock(sha256), async () => {
      await publish({ file: list, as: filesOf(at, sha256) })
      await publish({ file: target, as: file(at, sha256) })
    })
    return { sha256, sizeBytes: size }
  } finally {
    await removeFile(target)
    await removeFile(list)
  }
}

/**
 * A file of one large hole takes no room on a disk, and hours of this machine to read. What a disk truly holds is
 * never larger than the disk; what lies below it was packed before.
 */
async function sizeWithoutHoles(from: string, { disk, written }: Source): Promise<number> {
  const space = statfsSync(disk)
  const sizeBytes = await apparentSize(from)
  const heldBytes = written === undefined ? sizeBytes : await apparentSize(written)
  if (heldBytes <= space.blocks * space.bsize) return sizeBytes
  throw new Refusal(
    'invalid',
    `the files say that they hold ${heldBytes} bytes, more than their disk has; write them out`,
  )
}

async function apparentSize(path: string): Promise<number> {
  return Number.parseInt(await run('du', ['-s', '--apparent-size', '--block-size=1', '--', path]), 10)
}

/** The topmost folders of this name, as paths below `top`. */
async function foldersNamed(name: string, top: string): Promise<string[]> {
  const found: string[] = []
  const walk = async (below: string) => {
    for (const entry of await readdir(join(top, below), { withFileTypes: true })) {
      const path = join(below, entry.name)
      if (entry.isDirectory() && entry.name === name) found.push(path)
      else if (entry.isDirectory()) await walk(path)
    }
  }
  await walk('')
  if (found.length === 0) throw new Refusal('missing', `the scratch disk has no folder ${name}`)
  if (found.length > maxFolders) throw new Refusal('invalid', `there are more than ${maxFolders} folders ${name}`)
  return found.toSorted()
}

/** Walks down part by part: a link planted by the build would lead out of its disk. */
async function folderOnDisk({ disk, path }: Source): Promise<string> {
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

/** Unmounted first, so that after a kill in between it is a release that can be used or removed. */
export async function removeRelease(at: Instance, sha256: string): Promise<void> {
  await unmountRelease(at, sha256)
  await removeFile(file(at, sha256))
  await removeFile(filesOf(at, sha256))
}

/** A daemon that was killed leaves releases mounted that nobody runs: each holds a loop device, and its file's blocks. */
export async function unmountOthers(at: Instance, used: ReadonlySet<string | undefined>): Promise<void> {
  if (!existsSync(mounted(at))) return
  for (const sha256 of await readdir(mounted(at))) if (!used.has(sha256)) await unmountRelease(at, sha256)
}
