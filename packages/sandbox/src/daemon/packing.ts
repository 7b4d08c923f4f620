/**
 * The control group of one packing: what mksquashfs holds grows with how many files a stranger made, so it counts with
 * the sandboxes, below their common limit. Its name is no sandbox's id.
 */
import type { Cgroups } from './cgroup.ts'
import type { Instance } from './instance.ts'

const prefix = '_packing-'
const memoryBytes = 1024 * 2 ** 20

let last = 0

/** Also those that a killed daemon left. */
export const isPacking = (group: string) => group.startsWith(prefix)

/** `work` gets a function that takes in its process. */
export async function packing<T>(
  at: Instance,
  cgroups: Cgroups,
  work: (takeIn: (pid: number) => void) => Promise<T>,
): Promise<T> {
  const group = `${at.cgroupParent}/${prefix}${++last}`
  try {
    return await work((pid) => cgroups.hold(group, { pid, memoryBytes }))
  } finally {
    await cgroups.end(group)
  }
}
