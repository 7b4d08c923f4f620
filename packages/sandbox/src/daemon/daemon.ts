/** Opens everything the daemon owns, in order, and takes it all away again on `--destroy`. */
import { existsSync, readFileSync } from 'node:fs'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ceilingOf, machine } from './ceiling.ts'
import { openCgroups } from './cgroup.ts'
import type { Cgroups } from './cgroup.ts'
import { prepareArchives } from './archives.ts'
import { prepareConmon } from './conmon.ts'
import { hasRules, removeRules, watchRules, writeRules } from './firewall.ts'
import type { Place } from './firewall.ts'
import { prepareImages } from './images.ts'
import { defaultRoot, defaultSubnet, instance, subnetNumber, tagOf } from './instance.ts'
import type { Instance } from './instance.ts'
import { openLocks } from './locks.ts'
import { prepareLogs } from './logs.ts'
import { mountPoints, removeFile, unmount } from './mounts.ts'
import { prepareNamespace, unpin } from './namespace.ts'
import { claimDoorAddress, dropDoorAddress } from './network.ts'
import { openNumbers } from './numbers.ts'
import { loadOwners, openOwners } from './owners.ts'
import type { Options } from './options.ts'
import { loadRecords, removeRecord, replaceFile } from './records.ts'
import { prepareReleases, unmountOthers } from './releases.ts'
import { ephemeralDisks } from './room.ts'
import { openSandboxes } from './sandboxes.ts'
import { loadScratches } from './scratch.ts'
import { listen, socketPath } from './server.ts'
import { openSharedLimits } from './shared-limits.ts'
import { becomeTheOne, endTheOne } from './single.ts'
import { supervisorsGroup } from './supervisor.ts'
import { sweep } from './sweep.ts'
import { claimTag, dropTag } from './tag.ts'
import { handlers } from './verbs.ts'
import { letStillMove } from './volume-images.ts'
import { openVolumes } from './volumes.ts'

/** The watcher hears of a loss at once; this is for what it missed, as before it began to listen. */
const checkRulesEveryMs = 10_000

export async function serve(options: Options): Promise<void> {
  await becomeTheOne(options)
  const at = await settleDown(options)
  const cgroups = openCgroups()
  for (const group of [supervisorsGroup(at), at.cgroupParent]) await cgroups.prepare(group)
  const ceiling = ceilingOf(machine())
  cgroups.limitAll(at.cgroupParent, ceiling)
  await prepareConmon(at)
  await prepareImages(at)
  await prepareReleases(at)
  await prepareArchives(at)
  await prepareLogs(at)
  await mkdir(ephemeralDisks(at), { recursive: true, mode: 0o700 })

  // First, since a program that writes to a volume that stands still cannot be ended.
  const volumes = await openVolumes(at)
  const { records, broken } = await loadRecords(at)
  for (const id of broken) await removeRecord(at, id)
  const running = records.filter(({ state }) => state === 'running')
  const places = new Map(running.map(({ spec, index }) => [spec.id, { index, network: spec.network }]))
  await writeRules(at, [...places.values()])
  openSharedLimits()
  const left = await sweep(at, places, cgroups)
  await unmountOthers(at, new Set(running.map(({ spec }) => spec.release)))
  const scratches = new Map((await loadScratches(at)).map((scratch) => [scratch.id, scratch]))
  const notes = loadOwners(at)
  const taken = [...records, ...scratches.values(), ...notes].map(({ index }) => index)
  const capacity = Math.min(at.capacity, ceiling.places)
  const numbers = openNumbers({ capacity, taken })
  const owners = openOwners(at, { numbers, notes })
  const parts = { at, cgroups, capacity, locks: openLocks(), numbers, owners, volumes }
  const sandboxes = await openSandboxes({ ...parts, scratchOf: (id) => scratches.get(id), left }, records)
  // Mounted by a daemon that was killed while it grew or copied them.
  for (const id of await volumes.mounted()) if (!sandboxes.uses({ kind: 'volume', id })) await volumes.unmount(id)

  guardRules(at, () => sandboxes.places())
  await listen(at, handlers({ ...parts, sandboxes, scratches }))
  // Sandboxes go on without us, those that wait for a copy too; nothing needs to be written: every step already was.
  const end = () => void letStillMove().finally(() => process.exit(0))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end)
  console.log(`sandboxd serves ${socketPath(at)}; sandboxes reach the host at ${at.doorAddress}`)
}

export async function destroy(options: Options): Promise<void> {
  await endTheOne(options)
  await becomeTheOne(options)
  const at = await settleDown(options)
  const cgroups = openCgroups()
  await prepareConmon(at)
  await openVolumes(at)
  await writeRules(at, [])
  await sweep(at, new Map(), cgroups)
  for (const group of [at.cgroupParent, supervisorsGroup(at)]) removeUnlessShared(cgroups, group)
  await removeRules(at)
  await dropDoorAddress(at)
  const below = mountPoints().filter((path) => path.startsWith(`${at.run}/`))
  for (const path of below.reverse()) await unmount(path)
  await unmount(at.run)
  await unpin(at.root)
  dropTag(at.root)
  await rm(at.root, { recursive: true, force: true })
}

/** Somebody may have put groups of their own beside those of sandboxes. */
function removeUnlessShared(cgroups: Cgroups, group: string): void {
  try {
    cgroups.remove(group)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
    console.error(`the control group ${group} stays, since something that is not sandboxd's is in it`)
  }
}

/** Namespace and subnet: what must stand before anything else. */
async function settleDown(options: Options): Promise<Instance> {
  const { isRenamed } = claimTag(options.root)
  await prepareNamespace({ run: join('/run', `perennial-${tagOf(options.root)}`) })
  await chmod(options.root, 0o755)
  // A copy's subnet is that of the root it was copied from.
  if (isRenamed) await removeFile(join(options.root, 'subnet'))
  return claimSubnet(options)
}

/** Reloading the host's own firewall empties ours too, the only rules between sandboxes and the host. */
function guardRules(at: Instance, places: () => Place[]): void {
  const orEnd = (work: Promise<void>) =>
    void work.catch((error: unknown) => {
      // Ending makes it somebody's problem; going on without rules would be nobody's.
      console.error(error)
      process.exit(1)
    })
  const restore = async () => {
    console.error(`the firewall table ${at.nftTable} was removed from outside; it is written again`)
    await writeRules(at, places())
  }
  const check = async () => {
    if (!(await hasRules(at))) await restore()
  }
  watchRules(at, () => orEnd(restore()))
  setInterval(() => orEnd(check()), checkRulesEveryMs)
}

/** A root keeps its subnet; a new one other than the default takes the first that nobody uses. */
async function claimSubnet(options: Options): Promise<Instance> {
  const note = join(options.root, 'subnet')
  const saved = existsSync(note) ? readFileSync(note, 'utf8').trim() : undefined
  const wanted = saved ?? options.subnet ?? (options.root === defaultRoot ? defaultSubnet : undefined)
  if (wanted !== undefined && subnetNumber(wanted) === undefined) throw new Error(`${note} is damaged: ${wanted}`)
  if (saved !== undefined && options.subnet !== undefined && saved !== options.subnet)
    throw new Error(`${options.root} was made for ${saved}; destroy it before using ${options.subnet}`)
  const start = parseInt(tagOf(options.root), 16)
  const candidates = wanted ? [wanted] : Array.from({ length: 170 }, (_, i) => `10.${80 + ((start + i) % 170)}.0.0/16`)
  for (const subnet of candidates) {
    const at = instance({ ...options, subnet })
    if ((await claimDoorAddress(at)) === 'taken') continue
    if (saved === undefined) await replaceFile(note, `${subnet}\n`)
    return at
  }
  throw new Error(`${candidates.length === 1 ? wanted : 'every subnet'} is already used on this machine; give --subnet`)
}
