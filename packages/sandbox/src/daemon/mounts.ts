/** Mounts and loop disks inside the daemon's private mount namespace. Every step may be repeated. */
import { readFileSync } from 'node:fs'
import { mkdir, open, readdir, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { runPrefix } from './instance.ts'
import type { Instance } from './instance.ts'
import { takeRoom } from './room.ts'
import { run } from './run.ts'

/** Every mount of this namespace. `/proc` writes blanks and the like as octal. */
function mounts(): { at: string; source: string }[] {
  const plain = (path: string) =>
    path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [mount, filesystem] = line.split(' - ')
      const [at, source] = [mount?.split(' ')[4], filesystem?.split(' ')[1]]
      return at && source ? [{ at: plain(at), source: plain(source) }] : []
    })
}

export function mountPoints(): string[] {
  return mounts().map(({ at }) => at)
}

/** The device that is mounted there. */
export function sourceOf(point: string): string {
  const found = mounts().findLast(({ at }) => at === point)
  if (!found) throw new Error(`nothing is mounted at ${point}`)
  return found.source
}

export function isMounted(path: string): boolean {
  return mountPoints().includes(path)
}

export async function mountImage({ file, at }: { file: string; at: string }): Promise<void> {
  if (isMounted(at)) return
  await mkdir(at, { recursive: true })
  await run('mount', ['-t', 'squashfs', '-o', 'loop,ro,nosuid,nodev', file, at])
}

/**
 * Reads every file once. Cached pages belong to whose reading brought them in: to us, not to the sandbox that
 * happens to start first, whose memory limit they would fill and from whose pressure they would suffer.
 */
export async function warm(folder: string): Promise<void> {
  const buffer = Buffer.alloc(1024 * 1024)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = await open(join(entry.parentPath, entry.name), 'r')
    try {
      while ((await file.read(buffer, 0, buffer.length, null)).bytesRead > 0);
    } finally {
      await file.close()
    }
  }
}

/**
 * A disk whose size is the limit: writes beyond it fail with ENOSPC, where a tmpfs of that size would be
 * charged to the memory limit and end in an OOM kill. Sparse, so only what is written costs space.
 */
export async function makeDisk(at: Instance, disk: { file: string; sizeBytes: number }): Promise<void> {
  takeRoom(at, disk)
  // No journal: what is on it does not outlive the machine. More inodes than usual: node_modules is small files.
  const features = ['-O', '^has_journal,^resize_inode', '-m', '0', '-i', '8192']
  await run('mkfs.ext4', ['-q', '-F', ...features, '-E', 'lazy_itable_init=1,nodiscard', disk.file])
}

export async function mountDisk({ file, at }: { file: string; at: string }): Promise<void> {
  if (isMounted(at)) return
  await mkdir(at, { recursive: true })
  await run('mount', ['-t', 'ext4', '-o', 'loop,nosuid,nodev,noatime,noinit_itable,discard', file, at])
  await rmdir(`${at}/lost+found`).catch((error: NodeJS.ErrnoException) => {
    // Whoever uses the disk may have put something there, or called a file so.
    if (!['ENOENT', 'ENOTEMPTY', 'ENOTDIR'].includes(error.code ?? '')) throw error
  })
}

export async function mountOverlay(layers: { lower: string; upper: string; work: string; at: string }): Promise<void> {
  if (isMounted(layers.at)) return
  const { lower, upper, work, at } = layers
  await mkdir(at, { recursive: true })
  // volatile: never syncs, as nothing of the upper layer is kept. redirect_dir: folders of the lower one can be renamed.
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work},volatile,redirect_dir=on,nosuid,nodev`
  await run('mount', ['-t', 'overlay', '-o', options, 'overlay', at])
}

/** Detaches the mount and removes its folder; the loop device goes with it. */
export async function unmount(at: string): Promise<void> {
  if (!at.startsWith(runPrefix)) throw new Error(`${at} is not ours to unmount`)
  while (isMounted(at)) {
    // A process that is just ending may hold it for a moment; a lazy unmount frees the disk as soon as it ends.
    await run('umount', [at]).catch(() => run('umount', ['-l', at]))
  }
  await rmdir(at).catch(ignoreMissing)
}

export async function removeFile(path: string): Promise<void> {
  await unlink(path).catch(ignoreMissing)
}

export function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
