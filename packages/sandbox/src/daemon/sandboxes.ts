/**
 * The life of each sandbox: creating → running (⇄ frozen) → exited → removed. Steps on one id wait for each
 * other; different ids never do. The record is written before each step, so this file is also the recovery
 * after kill -9: what was half-made is cleared away, what runs is adopted, what ended meanwhile is settled.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync, watch } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Exit, Mount, Sandbox, SandboxSpec, WireReading } from '../verbs.ts'
import { assemble, bundleFolder, dismantle } from './assemble.ts'
import { checkMounts, detach } from './attach.ts'
import type { Shelf } from './attach.ts'
import { cgroupOf } from './bundle.ts'
import type { Cgroups } from './cgroup.ts'
import { createContainer, exitCode, exitsFolder, signalContainer, startContainer } from './conmon.ts'
import { exitOf, lostExit } from './exits.ts'
import type { Place } from './firewall.ts'
import { hoards } from './hoards.ts'
import { hasEnded, view } from './live.ts'
import type { Live } from './live.ts'
import { makeLog, removeLog } from './logs.ts'
import type { Numbers } from './numbers.ts'
import type { Owners } from './owners.ts'
import { birthOf } from './processes.ts'
import { egressFor, openMeter } from './readings.ts'
import { removeRecord, saveRecord } from './records.ts'
import type { SandboxRecord } from './records.ts'
import { Refusal } from './refuse.ts'
import { releaseLock, unmountRelease } from './releases.ts'
import { endStrays } from './strays.ts'
import type { Scratch } from './scratch.ts'
import { confineSupervisor } from './supervisor.ts'

export interface Sandboxes {
  start(spec: SandboxSpec): Promise<Sandbox>
  list(): Sandbox[]
  read(): Promise<WireReading[]>
  stop(input: { id: string; graceMs: number }): Promise<Sandbox>
  freeze(input: { id: string; frozen: boolean }): Promise<Sandbox>
  limit(input: { id: string; cpuPercent: number }): Promise<Sandbox>
  remove(id: string): Promise<void>
  wait(input: { id: string; timeoutMs: number }): Promise<Exit | null>
  /** Whether a sandbox that has not exited uses this release, scratch disk or mount. */
  uses(what: Used): boolean
  /** Whether one that is neither exited nor frozen has it mounted. */
  isBusy(what: Pick<Mount, 'kind' | 'id'>): boolean
  /** Where every sandbox that has not exited sits in the network. */
  places(): Place[]
}

export type Used = { release: string } | { scratch: string } | Pick<Mount, 'kind' | 'id'>

export interface Needs extends Shelf {
  readonly cgroups: Cgroups
  readonly numbers: Numbers
  readonly owners: Owners
  /** Its sandboxes take over its user ids. */
  readonly scratchOf: (id: string) => Scratch | undefined
  /** Ids of which something is left on the machine that could not be cleared. */
  readonly left: ReadonlySet<string>
}

/** A sandbox whose supervisor was killed leaves no exit file; its process is looked after this often. */
const checkEveryMs = 2000
/** conmon writes the exit code a moment after the process is gone. */
const exitCodeTimeoutMs = 1000
/** After KILL the kernel needs a moment, on a loaded machine a long one. */
const killTimeoutMs = 30_000

export async function openSandboxes(needs: Needs, records: readonly SandboxRecord[]): Promise<Sandboxes> {
  const { at, cgroups, locks, numbers, owners } = needs
  const all = new Map<string, Live>()
  const machineBoot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

  for (const record of records) all.set(record.spec.id, { record, waiting: new Set() })
  for (const live of all.values())
    await adopt(live).catch((error: unknown) => console.error(`adopting sandbox ${live.record.spec.id}:`, error))
  settleOwners()
  watch(exitsFolder(at), (_, id) => settleLater(id ?? ''))
  setInterval(() => {
    ;[...all.keys()].forEach(look)
    lookForHoards()
  }, checkEveryMs)

  async function adopt(live: Live): Promise<void> {
    const { record } = live
    if (record.state === 'creating') return abandon(live)
    if (record.state === 'exited') {
      if (needs.left.has(record.spec.id)) live.held = true
      return
    }
    if (record.machineBoot !== machineBoot) return finish(live, lostExit('was ended when the machine restarted'))
    try {
      live.meter = openMeter(at, record, cgroups)
    } catch (error) {
      console.error(`sandbox ${record.spec.id} cannot be adopted:`, error)
      return finish(live, lostExit('was ended because its control group was gone'))
    }
    await settle(live)
  }

  async function start(spec: SandboxSpec): Promise<Sandbox> {
    const existing = all.get(spec.id)
    if (existing) {
      if (!isDeepStrictEqual(existing.record.spec, spec))
        throw new Refusal('conflict', `sandbox ${spec.id} exists with another spec; remove it first`)
      return see(existing)
    }
    const live: Live = { record: newRecord(spec), waiting: new Set() }
    const { record } = live
    all.set(spec.id, live)
    try {
      await saveRecord(at, record)
      const { scratch } = spec
      await assemble(needs, { record, scratch: scratch === undefined ? undefined : needs.scratchOf(scratch), cgroups })
      const log = await makeLog(at, spec.id)
      record.pid = await createContainer(at, { id: spec.id, bundle: bundleFolder(at, spec.id), log })
      record.born = birthOf(record.pid) ?? 'never'
      confineSupervisor(at, { id: spec.id, pid: record.pid }, cgroups)
      live.meter = openMeter(at, record, cgroups)
      await startContainer(at, spec.id)
      record.startedAt = Date.now()
      record.state = 'running'
      await saveRecord(at, record)
    } catch (error) {
      await abandon(live)
      throw error
    }
    settleLater(spec.id)
    return see(live)
  }

  function newRecord(spec: SandboxSpec): SandboxRecord {
    const scratch = spec.scratch === undefined ? undefined : needs.scratchOf(spec.scratch)
    if (spec.scratch !== undefined && !scratch)
      throw new Refusal('missing', `there is no scratch disk ${spec.scratch}; make it first`)
    checkMounts(needs, spec)
    const index = numbers.take()
    const ids = { index, idsIndex: scratch?.index ?? owners.enter(spec, index), boot: randomUUID(), machineBoot }
    return { spec, ...ids, state: 'creating', pid: 0, startedAt: 0 }
  }

  /** A start that did not succeed leaves nothing, not even its id, unless something cannot be cleared now. */
  async function abandon(live: Live): Promise<void> {
    const { id } = live.record.spec
    try {
      await endStrays(at, (stray) => stray === id)
      closeMeter(live)
      await release(live)
      await forget(live)
    } catch (error) {
      console.error(`what was made for sandbox ${id} could not be cleared:`, error)
      await markExited(live, lostExit('could not be started'))
    }
  }

  function closeMeter(live: Live): void {
    live.meter?.close()
    // Somebody may read all of them while this one is cleared away.
    delete live.meter
  }

  /** Only once that is written: with a full disk it has not ended yet, and is looked after again. */
  async function markExited({ record }: Live, exit: Exit): Promise<void> {
    const ended = { exit, state: 'exited', pid: 0 } as const
    await saveRecord(at, { ...record, ...ended })
    Object.assign(record, ended)
  }

  async function forget({ record }: Live): Promise<void> {
    const { id } = record.spec
    await removeLog(at, id)
    await removeRecord(at, id)
    all.delete(id)
    if (!owners.holds(record.index)) numbers.give(record.index)
    settleOwners()
  }

  function settleOwners(): void {
    const used = new Set([...all.values()].map(({ record }) => record.spec.owner))
    owners.settle((owner) => used.has(owner))
  }

  const see = (live: Live) => view(at, live, cgroups)

  function find(id: string): Live {
    const live = all.get(id)
    if (!live) throw new Refusal('missing', `there is no sandbox ${id}; start it first`)
    return live
  }

  function findRunning(id: string): Live {
    const live = find(id)
    if (live.record.state !== 'running') throw new Refusal('conflict', `sandbox ${id} has exited`)
    return live
  }

  function settleLater(id: string): void {
    const live = all.get(id)
    if (live?.record.state !== 'running' || !hasEnded(at, live)) return
    void locks.hold(id, () => settle(live)).catch((error: unknown) => console.error(`settling ${id}:`, error))
  }

  function look(id: string): void {
    settleLater(id)
    const live = all.get(id)
    if (!live || live.thrashed || !live.meter?.isThrashing()) return
    live.thrashed = true
    signalContainer(at, { id, signal: 'KILL' }).catch((error: unknown) => console.error(`ending ${id}:`, error))
  }

  function lookForHoards(): void {
    const suspects = unfinished().flatMap(({ spec: { id }, pid }) => (pid > 0 ? [{ id, pid }] : []))
    for (const [id, hoard] of hoards(at, suspects)) {
      const live = all.get(id)
      if (!live || live.hoard !== undefined) continue
      live.hoard = hoard
      signalContainer(at, { id, signal: 'KILL' }).catch((error: unknown) => console.error(`ending ${id}:`, error))
    }
  }

  /** Takes the last reading of a sandbox that has ended, keeps it with the exit, and frees everything else. */
  async function settle(live: Live): Promise<void> {
    const { record, meter } = live
    if (record.state !== 'running' || !hasEnded(at, live)) return
    const { id, limits } = record.spec
    await until(() => exitCode(at, id) !== undefined, exitCodeTimeoutMs)
    const code = exitCode(at, id)
    const last = meter?.read(await egressFor(at, [record]))
    if (last) record.last = live.thrashed ? { ...last, oomKills: last.oomKills + 1 } : last
    const lost = lostExit('ended together with its supervisor')
    const oomKills = record.last?.oomKills ?? 0
    const wasFull = live.thrashed === true || meter?.wasFull() !== false
    const { memoryBytes } = limits
    const { hoard } = live
    await finish(live, code === undefined ? lost : exitOf({ code, oomKills, memoryBytes, wasFull, hoard }))
  }

  async function finish(live: Live, exit: Exit): Promise<void> {
    await markExited(live, exit)
    closeMeter(live)
    try {
      await release(live)
    } finally {
      for (const tell of live.waiting) tell(exit)
      live.waiting.clear()
    }
  }

  /** Gives back all that it holds on the machine. */
  async function release(live: Live): Promise<void> {
    const { record } = live
    live.held = true
    const { id, network, mounts, release: sha256 } = record.spec
    await dismantle(at, { id, place: { index: record.index, network } }, cgroups)
    const others = () => unfinished().filter((other) => other !== record)
    await detach(needs, { mounts, isUsed: (mount) => others().some((other) => isUser(other.spec, mount)) })
    if (sha256 !== undefined)
      await locks.hold(releaseLock(sha256), async () => {
        if (!others().some(({ spec }) => spec.release === sha256)) await unmountRelease(at, sha256)
      })
    delete live.held
  }

  async function end(live: Live, graceMs: number): Promise<void> {
    const { id } = live.record.spec
    const group = cgroupOf(at, id)
    const signal = async (name: 'TERM' | 'KILL', timeoutMs: number) => {
      await signalContainer(at, { id, signal: name })
      // A frozen process gets its signal when it thaws.
      if (cgroups.frozen(group)) await cgroups.freeze(group, false)
      await until(() => hasEnded(at, live), timeoutMs)
    }
    if (graceMs > 0) await signal('TERM', graceMs)
    if (!hasEnded(at, live)) await signal('KILL', killTimeoutMs)
    await settle(live)
    if (live.record.state === 'running') throw new Error(`sandbox ${id} did not end within ${killTimeoutMs} ms of KILL`)
  }

  function unfinished(): SandboxRecord[] {
    return [...all.values()].map(({ record }) => record).filter(({ state }) => state !== 'exited')
  }

  return {
    start: (spec) => locks.hold(spec.id, () => start(spec)),
    list: () => [...all.values()].map(see),
    async read() {
      const egress = await egressFor(at, unfinished())
      return [...all.values()].flatMap(({ meter, record }) => meter?.read(egress) ?? record.last ?? [])
    },
    stop: ({ id, graceMs }) =>
      locks.hold(id, async () => {
        const live = find(id)
        if (live.record.state === 'running') await end(live, graceMs)
        return see(live)
      }),
    freeze: ({ id, frozen }) =>
      locks.hold(id, async () => {
        const live = findRunning(id)
        await cgroups.freeze(cgroupOf(at, id), frozen).catch(async (error: unknown) => {
          // Half asleep, it would neither answer nor be woken.
          if (frozen) await cgroups.freeze(cgroupOf(at, id), false)
          throw error
        })
        return see(live)
      }),
    limit: ({ id, cpuPercent }) =>
      locks.hold(id, async () => {
        const live = findRunning(id)
        cgroups.limitCpu(cgroupOf(at, id), cpuPercent)
        return see(live)
      }),
    remove: (id) =>
      locks.hold(id, async () => {
        const live = all.get(id)
        if (live?.record.state === 'running') await end(live, 0)
        if (live?.held) await release(live)
        if (live) await forget(live)
      }),
    wait({ id, timeoutMs }) {
      const live = find(id)
      if (live.record.exit) return Promise.resolve(live.record.exit)
      return new Promise((resolve) => {
        const done = (exit: Exit | null) => {
          clearTimeout(timeout)
          live.waiting.delete(done)
          resolve(exit)
        }
        const timeout = setTimeout(() => done(null), timeoutMs)
        live.waiting.add(done)
      })
    },
    uses: (what) => unfinished().some(({ spec }) => isUser(spec, what)),
    isBusy: (what) =>
      [...all.values()].some(
        (live) => isUser(live.record.spec, what) && !['exited', 'frozen'].includes(see(live).state),
      ),
    places: () => unfinished().map(({ index, spec }) => ({ index, network: spec.network })),
  }
}

function isUser(spec: SandboxSpec, what: Used): boolean {
  if ('release' in what) return spec.release === what.release
  if ('scratch' in what) return spec.scratch === what.scratch
  return spec.mounts?.some(({ kind, id }) => kind === what.kind && id === what.id) ?? false
}

async function until(isDone: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!isDone() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5))
}
