/** Clears what a killed daemon left behind that no running sandbox owns. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dismantle, disksFolder, homesFolder } from './assemble.ts'
import type { Cgroups } from './cgroup.ts'
import { containers } from './conmon.ts'
import type { Instance } from './instance.ts'
import { disconnectSandbox } from './network.ts'
import { run } from './run.ts'

/** `owned`: id → number of every sandbox that runs. */
export async function sweep(at: Instance, owned: Map<string, number>, cgroups: Cgroups): Promise<void> {
  const disks = (await names(disksFolder(at))).map((name) => name.replace(/\.ext4$/, ''))
  const groups = await cgroups.children(at.cgroupParent)
  const ids = new Set([...(await names(homesFolder(at))), ...disks, ...groups, ...(await containers(at))])
  const kept = new Set(owned.values())
  const strays = [...ids].filter((id) => !owned.has(id))
  for (const id of strays) await dismantle(at, { id, index: undefined }, cgroups)
  for (const index of await numbersInUse(at)) if (!kept.has(index)) await disconnectSandbox(at, { index })
}

async function names(folder: string): Promise<string[]> {
  return existsSync(folder) ? readdir(folder) : []
}

/** Numbers of the network interfaces and namespaces that exist. */
async function numbersInUse(at: Instance): Promise<Set<number>> {
  const links = JSON.parse(await run('ip', ['-j', 'link', 'show'])) as { ifname: string }[]
  const veths = links.map(({ ifname }) => ifname).filter((name) => name.startsWith(at.vethPrefix))
  const spaces = (await names('/run/netns')).filter((name) => /^s\d+$/.test(name))
  const numbers = [...veths.map((name) => name.slice(at.vethPrefix.length)), ...spaces.map((name) => name.slice(1))]
  return new Set(numbers.map(Number).filter(Number.isInteger))
}
