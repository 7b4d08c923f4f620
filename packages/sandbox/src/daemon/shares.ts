/**
 * Shares: small folders in memory where sandboxes meet over unix sockets. One is there as long as a sandbox that
 * names it; there is nothing to keep.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Instance } from './instance.ts'
import { isMounted, unmount } from './mounts.ts'
import { run } from './run.ts'

const options = 'size=1m,nr_inodes=256,mode=1777,nosuid,nodev,noexec'

const point = (at: Instance, id: string) => join(at.run, 'shares', id)

export const isShared = (at: Instance, id: string) => isMounted(point(at, id))

export async function mountedShare(at: Instance, id: string): Promise<string> {
  const folder = point(at, id)
  if (isMounted(folder)) return folder
  await mkdir(folder, { recursive: true })
  await run('mount', ['-t', 'tmpfs', '-o', options, 'sandboxd-share', folder])
  return folder
}

export async function unmountShare(at: Instance, id: string): Promise<void> {
  await unmount(point(at, id))
}
