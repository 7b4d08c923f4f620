/** Clears what a killed daemon left behind that no running sandbox owns. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dismantle, homesFolder } from './assemble.ts'
import type { Cgroups } from './cgroup.ts'
import { containers } from './conmon.ts'
import { expelOthers } from './firewall.ts'
import type { Place } from './firewall.ts'
import type { Instance } from './instance.ts'
import { connectedNumbers, netnsFolder, removeLinks } from './network.ts'
import { isPacking } from './packing.ts'
import { ephemeralDisks } from './room.ts'
import { endStrays } from './strays.ts'
import { supervisorsGroup } from './supervisor.ts'

/**
 * `running`: id → place of every sandbox that is to be adopted. Answers the ids of which something could not be cleared:
 * they are tried again later, and must not keep all others from being served.
 */
export async function sweep(at: Instance, running: Map<string, Place>, cgroups: Cgroups): Promise<Set<string>> {
  await endStrays(at, (id) => id !== '' && !running.has(id))
  const disks = (await names(ephemeralDisks(at))).map((name) => name.replace(/\.ext4$/, ''))
  const all = [...(await cgroups.children(at.cgroupParent)), ...(await cgroups.children(supervisorsGroup(at)))]
  // Ids begin with no underscore: what else somebody put there is not ours to end.
  const groups = all.filter((name) => !name.startsWith('_') || isPacking(name))
  const ids = new Set([...(await names(homesFolder(at))), ...disks, ...groups, ...(await containers(at))])
  const left = new Set<string>()
  for (const id of ids) {
    if (running.has(id)) continue
    await dismantle(at, { id }, cgroups).catch((error: unknown) => {
      console.error(`what is left of sandbox ${id} could not be cleared:`, error)
      left.add(id)
    })
  }
  const kept = new Set([...running.values()].map(({ index }) => index))
  for (const index of await connectedNumbers(at, await names(netnsFolder)))
    if (!kept.has(index)) await removeLinks(at, index)
  await expelOthers(at, [...running.values()])
  return left
}

async function names(folder: string): Promise<string[]> {
  return existsSync(folder) ? readdir(folder) : []
}
