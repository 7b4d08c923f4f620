/** Puts together what one sandbox needs on the host, and takes all of it away again, however far it got. */
import { chmod, chown, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { allDone } from './all-done.ts'
import { attach } from './attach.ts'
import type { Shelf } from './attach.ts'
import { appUid, cgroupOf, writeBundle } from './bundle.ts'
import type { Cgroups } from './cgroup.ts'
import { deleteContainer, exitsFolder } from './conmon.ts'
import { mountedImage } from './images.ts'
import { hostUid } from './instance.ts'
import type { Instance } from './instance.ts'
import type { Locks } from './locks.ts'
import { makeDisk, mountDisk, mountOverlay, removeFile, unmount } from './mounts.ts'
import type { Place } from './firewall.ts'
import { connectSandbox, disconnectSandbox } from './network.ts'
import type { SandboxRecord } from './records.ts'
import { mountedRelease, releaseLock } from './releases.ts'
import { ephemeralDisks } from './room.ts'
import { mountedScratch } from './scratch.ts'
import type { Scratch } from './scratch.ts'
import { removeSupervisorGroup } from './supervisor.ts'

const home = (at: Instance, id: string) => join(at.run, 'sandboxes', id)
const diskFile = (at: Instance, id: string) => join(ephemeralDisks(at), `${id}.ext4`)

export const homesFolder = (at: Instance) => join(at.run, 'sandboxes')
export const bundleFolder = (at: Instance, id: string) => join(home(at, id), 'bundle')
/** Mount point of the ephemeral disk; its `statfs` is what the sandbox has written. */
export const diskFolder = (at: Instance, id: string) => join(home(at, id), 'disk')

export async function assemble(
  shelf: Shelf,
  { record, scratch, cgroups }: { record: SandboxRecord; scratch: Scratch | undefined; cgroups: Cgroups },
): Promise<void> {
  const { at, locks } = shelf
  const { spec, index } = record
  await removeFile(join(exitsFolder(at), spec.id))
  const uid = hostUid(at, record.idsIndex) + (spec.user === 'root' ? 0 : appUid)
  const [rootfs] = await allDone([
    mountedImage(at, spec.image),
    connectSandbox(at, { index, network: spec.network }),
    prepareDisk(at, { id: spec.id, sizeBytes: spec.writableBytes, owner: uid }),
  ])
  const app = scratch ? (await mountedScratch(at, scratch, locks)).disk : await appFolder(at, record, locks)
  const parts = {
    index,
    idsIndex: record.idsIndex,
    rootfs,
    app,
    attached: await attach(shelf, { mounts: spec.mounts, app, uid }),
    tmp: join(diskFolder(at, spec.id), 'tmp'),
    cgroups,
  }
  await writeBundle(at, { spec, parts, folder: bundleFolder(at, spec.id) })
}

async function prepareDisk(at: Instance, disk: { id: string; sizeBytes: number; owner: number }): Promise<void> {
  const file = diskFile(at, disk.id)
  const point = diskFolder(at, disk.id)
  await makeDisk(at, { file, sizeBytes: disk.sizeBytes })
  await mountDisk({ file, at: point })
  await mkdir(join(point, 'work'))
  for (const [name, mode] of [
    ['upper', 0o755],
    ['tmp', 0o1777],
  ] as const) {
    const folder = join(point, name)
    await mkdir(folder)
    await chown(folder, disk.owner, disk.owner)
    await chmod(folder, mode)
  }
}

async function appFolder(at: Instance, { spec }: SandboxRecord, locks: Locks): Promise<string> {
  const upper = join(diskFolder(at, spec.id), 'upper')
  if (spec.release === undefined) return upper
  const { release } = spec
  const lower = await locks.hold(releaseLock(release), () => mountedRelease(at, release))
  const merged = join(home(at, spec.id), 'app')
  await mountOverlay({ lower, upper, work: join(diskFolder(at, spec.id), 'work'), at: merged })
  return merged
}

/** Every step is fine with finding nothing. Processes go first, then what they held. */
export async function dismantle(at: Instance, name: { id: string; place?: Place }, cgroups: Cgroups): Promise<void> {
  const { id, place } = name
  await deleteContainer(at, id)
  await cgroups.end(cgroupOf(at, id))
  await removeSupervisorGroup(at, id, cgroups)
  if (place) await disconnectSandbox(at, place)
  await unmount(join(home(at, id), 'app'))
  await unmount(diskFolder(at, id))
  await removeFile(diskFile(at, id))
  await rm(home(at, id), { recursive: true, force: true })
  await removeFile(join(exitsFolder(at), id))
}
