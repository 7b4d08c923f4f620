/**
 * Room for the disks of sandboxes. Their files are sparse, so what the machine has free is partly promised already:
 * all disks full at once must still leave the reserve, which keeps databases and logs of the machine alive.
 */
import { closeSync, existsSync, ftruncateSync, openSync, readdirSync, statfsSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { maxLogBytes } from './conmon.ts'
import type { Instance } from './instance.ts'
import { Refusal } from './refuse.ts'

/** Free space that disks of sandboxes never take from the machine. */
const reserveBytes = 512n * 1024n * 1024n

export const ephemeralDisks = (at: Instance) => join(at.root, 'disks')
export const scratchDisks = (at: Instance) => join(at.root, 'scratch')
export const volumeDisks = (at: Instance) => join(at.root, 'volumes')

/**
 * A volume fills over months, is paid by the byte that it holds, and mostly stays far below its size: with each byte
 * set aside, a disk would be full of promises at a tenth of its use. So each must fit in whole when it is made or
 * grown, and counts by a part of what it has left afterwards. When many fill up at once, the reserve and what
 * ephemeral disks leave is their room; the operator sees it shrink as refusals of new disks, long before it is gone.
 */
const volumePart = 4n

/** Of files that are being written. */
let underWayBytes = 0n

/** Makes the empty file of a disk, or refuses. Without a pause in between, so that two never count on the same room. */
export function takeRoom(at: Instance, disk: { file: string; sizeBytes: number }): void {
  const file = openSync(disk.file, 'w', 0o600)
  ftruncateSync(file, disk.sizeBytes)
  closeSync(file)
  if (hasRoom(at, 0)) return
  unlinkSync(disk.file)
  throw noRoom(disk)
}

/** For a file of up to this size that is no disk. */
export function refuseWithoutRoom(at: Instance, file: { sizeBytes: number }): void {
  if (!hasRoom(at, file.sizeBytes)) throw noRoom(file)
}

/** The same, and nobody else is promised that room until `work` is done: what is written meanwhile counts twice. */
export async function withRoom<T>(at: Instance, file: { sizeBytes: number }, work: () => Promise<T>): Promise<T> {
  refuseWithoutRoom(at, file)
  underWayBytes += BigInt(file.sizeBytes)
  try {
    return await work()
  } finally {
    underWayBytes -= BigInt(file.sizeBytes)
  }
}

function noRoom({ sizeBytes }: { sizeBytes: number }): Refusal {
  return new Refusal('no-room', `the machine's disk has no room for another ${sizeBytes} bytes`)
}

function hasRoom(at: Instance, sizeBytes: number): boolean {
  const space = statfsSync(at.root, { bigint: true })
  return space.bavail * space.bsize >= promised(at) + reserveBytes + BigInt(sizeBytes)
}

/** What all disks and logs may still take: their sizes without what they hold already. */
function promised(at: Instance): bigint {
  const disks = leftIn(ephemeralDisks(at)) + leftIn(scratchDisks(at)) + leftIn(volumeDisks(at)) / volumePart
  // Each sandbox that has not ended has an ephemeral disk, and a log beside it.
  return disks + underWayBytes + BigInt(disksIn(ephemeralDisks(at)).length * maxLogBytes)
}

function leftIn(folder: string): bigint {
  let bytes = 0n
  for (const name of disksIn(folder)) {
    const file = statSync(join(folder, name), { bigint: true, throwIfNoEntry: false })
    const left = file ? file.size - file.blocks * 512n : 0n
    if (left > 0n) bytes += left
  }
  return bytes
}

function disksIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((each) => each.endsWith('.ext4')) : []
}
