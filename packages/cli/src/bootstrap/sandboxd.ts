/** How the root daemon is started, and where its folder and socket lie. */
import { join } from 'node:path'
import { clone, entry } from './places.ts'
import type { UserIds } from './user.ts'

export function sandboxFolder(data: string): string {
  return join(data, 'sandbox')
}

export function socketOf(root: string): string {
  return join(root, 'sandboxd.sock')
}

/**
 * Only `ids` may use its socket. PERENNIAL_IMAGES names a folder for runtime images other than `<root>/images`: several
 * nodes of one machine can share them.
 *
 * It outlives a killed parent: the node, which is told to close then, needs it to stop its apps. The next `up` ends it.
 */
export function sandboxdCommand(options: { root: string; ids: UserIds }): [string, ...string[]] {
  const { root, ids } = options
  const words = ['--root', root, '--uid', String(ids.uid), '--gid', String(ids.gid)]
  const images = process.env['PERENNIAL_IMAGES']
  if (images) words.push('--images', images)
  return [process.execPath, join(clone, entry.sandboxd), ...words]
}
