/** What a sandbox mounts besides its release: volumes, shares and archives, found or made, and let go of at its end. */
import type { Mount, SandboxSpec } from '../verbs.ts'
import { archiveFile } from './archives.ts'
import type { Instance } from './instance.ts'
import type { Locks } from './locks.ts'
import { Refusal } from './refuse.ts'
import { mountedShare, unmountShare } from './shares.ts'
import type { Volumes } from './volumes.ts'
import { makeMountPoint } from './walk.ts'

export interface Attached {
  readonly at: string
  readonly source: string
  readonly mode: 'ro' | 'rw'
  /** Whether its files are kept under the ids that sandboxes see. */
  readonly hasInnerIds: boolean
}

export interface Shelf {
  readonly at: Instance
  readonly locks: Locks
  readonly volumes: Volumes
}

/** Refuses what is not there, or not this owner's, before anything is made. */
export function checkMounts({ at, volumes }: Shelf, { mounts = [], owner }: SandboxSpec): void {
  for (const { kind, id } of mounts) {
    if (kind === 'archive') archiveFile(at, id)
    if (kind !== 'volume') continue
    const holder = volumes.owner(id)
    if (holder === undefined) throw new Refusal('missing', `there is no volume ${id}; make it first`)
    if (holder !== owner) throw new Refusal('conflict', `the volume ${id} is not of ${owner}`)
  }
}

/** `app`: what appears at /app, where mount points may have to be made. */
export async function attach(
  shelf: Shelf,
  { mounts = [], app, uid }: { mounts: readonly Mount[] | undefined; app: string; uid: number },
): Promise<Attached[]> {
  const attached: Attached[] = []
  for (const mount of mounts) {
    const [, top, path] = /^\/([^/]+)\/(.+)$/.exec(mount.at) ?? []
    const kind = mount.kind === 'archive' ? 'file' : 'folder'
    if (top === 'app' && path) await makeMountPoint({ top: app, path, kind, owner: uid })
    attached.push(await sourceOf(shelf, mount))
  }
  return attached
}

async function sourceOf({ at, locks, volumes }: Shelf, mount: Mount): Promise<Attached> {
  const { kind, id } = mount
  const key = keyOf(mount)
  if (kind === 'archive') return { at: mount.at, source: archiveFile(at, id), mode: 'ro', hasInnerIds: false }
  if (kind === 'share')
    return { at: mount.at, source: await locks.hold(key, () => mountedShare(at, id)), mode: 'rw', hasInnerIds: false }
  const source = await locks.hold(key, () => volumes.mount(id))
  return { at: mount.at, source, mode: mount.readOnly ? 'ro' : 'rw', hasInnerIds: true }
}

export const keyOf = ({ kind, id }: Pick<Mount, 'kind' | 'id'>) => `${kind} ${id}`

/** Unmounts what no other sandbox has mounted. */
export async function detach(
  { at, locks, volumes }: Shelf,
  { mounts = [], isUsed }: { mounts: readonly Mount[] | undefined; isUsed: (mount: Mount) => boolean },
): Promise<void> {
  for (const mount of mounts)
    await locks.hold(keyOf(mount), async () => {
      if (isUsed(mount)) return
      if (mount.kind === 'volume') await volumes.unmount(mount.id)
      if (mount.kind === 'share') await unmountShare(at, mount.id)
    })
}
