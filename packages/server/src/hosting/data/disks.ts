/**
 * Durable disks: made before an app's first start, grown when it asks for more, never shrunk, and kept until the app
 * has other ones in their place. Which volume is whose stands in a row that is written first; no volume is ever
 * removed that a row does not say is leaving, so a database that was set back loses nobody's data.
 */
import { randomBytes } from 'node:crypto'
import { refuse, type Refusal } from '@perennial/protocol'
import { SandboxRefused, type SandboxClient } from '@perennial/sandbox/client'
import type { Metering } from '../../metering/index.ts'
import type { Services } from '../../services.ts'
import {
  abandonDisks,
  allDisks,
  currentDisks,
  deleteDisk,
  insertDisk,
  leavingDisks,
  noteMade,
  noteUsed,
  type Disk,
} from './queries/disks.ts'

export interface DisksDeps {
  readonly sandbox: SandboxClient
  readonly metering: Pick<Metering, 'keep'>
}

export interface Wanted {
  readonly app: string
  /** Where the app sees it; `rows` and `cluster` are its database's. */
  readonly path: string
  readonly sizeBytes: number
}

export interface Disks {
  /**
   * The app's disk at this path: made, or made larger. `letGo` is called when it can only grow while nothing has it
   * mounted, and stops whatever has.
   */
  ensure(wanted: Wanted, letGo: () => Promise<void>): Promise<Disk | Refusal>
  current(app: string): Promise<Disk[]>
  /** A new, empty one beside the current ones, for a restore. */
  make(wanted: Wanted, madeFor: string): Promise<Disk>
  /** Of a disk that stands still. */
  copy(disk: Disk, madeFor: string): Promise<Disk>
  /** Removes what was made for a backup or a restore and is not the app's by now. */
  abandon(cause: string): Promise<void>
  /** Removes what is leaving. */
  sweep(): Promise<void>
  /** Reads how much each holds, which is what the app pays rent for. */
  measure(): Promise<void>
}

const shortOf = (uuid: string) => uuid.replaceAll('-', '')
/** Whose a volume is, as the daemon knows it: the app's own sandboxes, or its database. */
export const ownerOf = (app: string, path: string) => `${isVolume({ path }) ? 'a' : 'db'}-${shortOf(app)}`
export const isVolume = ({ path }: { path: string }) => path.startsWith('/')

export function openDisks(
  { database, clock, diagnostics }: Pick<Services, 'database' | 'clock' | 'diagnostics'>,
  { sandbox, metering }: DisksDeps,
): Disks {
  /** Apps with disks, and what they were last told to pay for. */
  const charged = new Map<string, number>()

  const rowOf = ({ app, path, sizeBytes }: Wanted, state: 'current' | 'making', madeFor: string | null) => {
    const id = `v-${shortOf(app)}-${randomBytes(4).toString('hex')}`
    return { id, app, owner: ownerOf(app, path), path, sizeBytes, state, madeFor }
  }

  const find = async ({ app, path }: Wanted) => (await currentDisks(database, app)).find((one) => one.path === path)

  async function provide(disk: Disk, sizeBytes: number): Promise<Disk> {
    const { id, owner } = disk
    await sandbox.volume({ id, owner, sizeBytes })
    await noteMade(database, id, sizeBytes, clock.now())
    return { ...disk, sizeBytes, madeAt: disk.madeAt ?? clock.now() }
  }

  async function make(wanted: Wanted, madeFor: string): Promise<Disk> {
    const row = rowOf(wanted, 'making', madeFor)
    await insertDisk(database, row)
    return provide({ ...row, usedBytes: 0, madeAt: null }, wanted.sizeBytes)
  }

  async function sweep(): Promise<void> {
    for (const { id } of await leavingDisks(database)) {
      try {
        await sandbox.removeVolume({ id })
        await deleteDisk(database, id)
      } catch (error) {
        if (!(error instanceof SandboxRefused) || error.code !== 'conflict') throw error
        diagnostics.info(`the volume ${id} is still in use; it is removed later`)
      }
    }
  }

  return {
    async ensure(wanted, letGo) {
      await insertDisk(database, rowOf(wanted, 'current', null))
      const disk = await find(wanted)
      if (!disk) throw new Error(`app ${wanted.app} has no disk for ${wanted.path} just after it was noted`)
      const sizeBytes = Math.max(disk.sizeBytes, wanted.sizeBytes)
      const there = (await sandbox.volumes()).find(({ id }) => id === disk.id)
      if (disk.madeAt !== null && !there) return lost(disk)
      if (disk.madeAt !== null && there?.sizeBytes === sizeBytes) return disk
      try {
        return await provide(disk, sizeBytes).catch(async (error: unknown) => {
          if (!(error instanceof SandboxRefused) || error.code !== 'conflict' || !there) throw error
          await letGo()
          return provide(disk, sizeBytes)
        })
      } catch (error) {
        if (error instanceof SandboxRefused && error.code === 'no-room') return noRoom(disk, sizeBytes)
        throw error
      }
    },
    current: (app) => currentDisks(database, app),
    make,
    async copy(disk, madeFor) {
      const row = rowOf(disk, 'making', madeFor)
      await insertDisk(database, row)
      const { sizeBytes } = await sandbox.copyVolume({ from: disk.id, to: row.id })
      await noteMade(database, row.id, sizeBytes, clock.now())
      return { ...row, sizeBytes, usedBytes: disk.usedBytes, madeAt: clock.now() }
    },
    async abandon(cause) {
      await abandonDisks(database, cause)
      await sweep()
    },
    sweep,
    async measure() {
      const rows = await allDisks(database)
      if (rows.length === 0 && charged.size === 0) return
      const volumes = new Map((await sandbox.volumes()).map((volume) => [volume.id, volume]))
      const sums = new Map([...charged.keys()].map((app) => [app, 0]))
      const changed: { id: string; usedBytes: number }[] = []
      for (const { id, app, usedBytes: before } of rows) {
        const usedBytes = volumes.get(id)?.usedBytes ?? 0
        sums.set(app, (sums.get(app) ?? 0) + usedBytes)
        if (before !== usedBytes) changed.push({ id, usedBytes })
      }
      if (changed.length > 0) await noteUsed(database, changed)
      for (const [app, sizeBytes] of sums) {
        if (charged.get(app) === sizeBytes) continue
        await metering.keep({ app, what: 'volumes', sizeBytes })
        if (rows.some((row) => row.app === app)) charged.set(app, sizeBytes)
        else charged.delete(app)
      }
    },
  }
}

function lost({ path, id }: Disk): Refusal {
  return refuse(
    'server-error/cannot-complete-request',
    `${nameOf(path)} is not on this machine’s disk (volume ${id}). Nothing was started, so that nothing is written over it.`,
    'Restore a backup of the app, or have the operator bring the volume back.',
  )
}

function noRoom({ path }: Disk, sizeBytes: number): Refusal {
  return refuse(
    'server-error/cannot-complete-request',
    `This machine has no room for ${sizeText(sizeBytes)} more (${nameOf(path)}).`,
    'Ask for less, or tell the operator.',
  )
}

function nameOf(path: string): string {
  return isVolume({ path }) ? `The volume ${path}` : 'The database'
}

export function sizeText(sizeBytes: number): string {
  return sizeBytes < 1e9 ? `${(sizeBytes / 1e6).toFixed(1)} MB` : `${(sizeBytes / 1e9).toFixed(1)} GB`
}
