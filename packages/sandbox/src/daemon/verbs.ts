/** What each verb does: the table from the wire to the parts. */
import { arch, release as kernelRelease } from 'node:os'
import type { Verb, Verbs } from '../verbs.ts'
import { archives, keepArchive, removeArchive } from './archives.ts'
import type { Cgroups } from './cgroup.ts'
import { ensureImage, madeImages } from './images.ts'
import type { Instance } from './instance.ts'
import type { Locks } from './locks.ts'
import type { Numbers } from './numbers.ts'
import { Refusal } from './refuse.ts'
import { packRelease, releaseLock, releases, removeRelease, unmountRelease } from './releases.ts'
import type { Sandboxes } from './sandboxes.ts'
import { makeScratch, mountedScratch, removeScratch } from './scratch.ts'
import type { Scratch } from './scratch.ts'
import { volumeHandlers } from './volume-verbs.ts'
import type { Volumes } from './volumes.ts'

export type Handlers = { [V in Verb]: (input: Verbs[V]['input']) => Promise<Verbs[V]['result']> }

export interface Parts {
  readonly at: Instance
  readonly cgroups: Cgroups
  readonly capacity: number
  readonly sandboxes: Sandboxes
  readonly scratches: Map<string, Scratch>
  readonly volumes: Volumes
  readonly locks: Locks
  readonly numbers: Numbers
}

export function handlers(parts: Parts): Handlers {
  const { at, cgroups, capacity, sandboxes, scratches, volumes, locks, numbers } = parts
  const scratchLock = <T>(id: string, work: () => Promise<T>) => locks.hold(`scratch ${id}`, work)

  const isBase = (sha256: string) => [...scratches.values()].some(({ base }) => base === sha256)
  const openScratch = (scratch: Scratch) => mountedScratch(at, scratch, locks)

  function idleScratch(id: string): Scratch {
    const found = scratches.get(id)
    if (!found) throw new Refusal('missing', `there is no scratch disk ${id}; make it first`)
    if (sandboxes.uses({ scratch: id }))
      throw new Refusal('conflict', `a sandbox still uses the scratch disk ${id}; stop it first`)
    return found
  }

  return {
    probe: async () => ({
      version: 1,
      isolation: 'shared-kernel',
      arch: arch(),
      kernel: kernelRelease(),
      cgroup: cgroups.version,
      swapLimits: cgroups.swapLimits,
      subnet: at.subnet,
      doorAddress: at.doorAddress,
      capacity,
      images: madeImages(at),
    }),
    start(spec) {
      if (typeof spec.network === 'object')
        for (const { address } of spec.network.doors)
          if (address !== at.doorAddress)
            throw new Refusal('invalid', `a door must be at ${at.doorAddress}, not at ${address}`)
      const run = () => sandboxes.start(spec)
      if (spec.scratch === undefined) return run()
      // Not while it is packed or removed.
      return scratchLock(spec.scratch, run)
    },
    list: async () => sandboxes.list(),
    read: () => sandboxes.read(),
    stop: (input) => sandboxes.stop(input),
    freeze: ({ id }) => sandboxes.freeze({ id, frozen: true }),
    thaw: ({ id }) => sandboxes.freeze({ id, frozen: false }),
    limit: (input) => sandboxes.limit(input),
    async remove({ id }) {
      await sandboxes.remove(id)
      return null
    },
    wait: (input) => sandboxes.wait(input),
    ...volumeHandlers({ locks, sandboxes, volumes }),
    keepArchive: ({ scratch, path, id }) =>
      scratchLock(scratch, () =>
        locks.hold(`archive ${id}`, async () => {
          const { disk } = await openScratch(idleScratch(scratch))
          return keepArchive(at, { disk, path, id })
        }),
      ),
    archives: () => archives(at),
    removeArchive: ({ id }) =>
      locks.hold(`archive ${id}`, async () => {
        await removeArchive(at, id)
        return null
      }),
    scratch: ({ id, sizeBytes, base }) =>
      scratchLock(id, async () => {
        const found = scratches.get(id)
        if (found && (found.sizeBytes !== sizeBytes || found.base !== base))
          throw new Refusal('conflict', `the scratch disk ${id} exists with ${found.sizeBytes} bytes`)
        if (found) return null
        const made = { id, index: numbers.take(), sizeBytes, ...(base !== undefined && { base }) }
        try {
          await makeScratch(at, made)
          // Until then nothing tells a removal of the base that it is used.
          scratches.set(id, made)
          await openScratch(made)
        } catch (error) {
          await removeScratch(at, id)
          scratches.delete(id)
          numbers.give(made.index)
          throw error
        }
        return null
      }),
    removeScratch: ({ id }) =>
      scratchLock(id, async () => {
        if (!scratches.has(id)) return null
        const { index, base } = idleScratch(id)
        await removeScratch(at, id)
        scratches.delete(id)
        numbers.give(index)
        if (base !== undefined)
          await locks.hold(releaseLock(base), async () => {
            if (!sandboxes.uses({ release: base }) && !isBase(base)) await unmountRelease(at, base)
          })
        return null
      }),
    pack: ({ scratch, path, only }) =>
      scratchLock(scratch, async () => {
        const place = await openScratch(idleScratch(scratch))
        return packRelease(at, { ...place, path, only }, { locks, cgroups })
      }),
    releases: () => releases(at),
    removeRelease: ({ sha256 }) =>
      locks.hold(releaseLock(sha256), async () => {
        if (sandboxes.uses({ release: sha256 }))
          throw new Refusal('conflict', `a sandbox still runs release ${sha256}; stop it first`)
        if (isBase(sha256))
          throw new Refusal('conflict', `a scratch disk is based on release ${sha256}; remove it first`)
        await removeRelease(at, sha256)
        return null
      }),
    image: ({ name }) => ensureImage(at, name),
  }
}
