/**
 * The life of each sandbox: creating → running (⇄ frozen) → exited → removed. Steps on one id wait for each
 * other; different ids never do. The record is written before each step, so this file is also the recovery
 * after kill -9: what was half-made is cleared away, what runs is adopted, what ended meanwhile is settled.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { chown, open } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { logsFolder } from '../verbs.ts'
import type { Exit, Sandbox, SandboxSpec, WireReading } from '../verbs.ts'
import { assemble, bundleFolder, dismantle } from './assemble.ts'
import { cgroupOf } from './bundle.ts'
import type { Cgroups } from './cgroup.ts'
import { createContainer, exitCode, exitsFolder, signalContainer, startContainer } from './conmon.ts'
import { exitOf, lostExit } from './exits.ts'
import { addressOf } from './instance.ts'
import type { Instance } from './instance.ts'
import type { Locks } from './locks.ts'
import { removeFile } from './mounts.ts'
import type { Numbers } from './numbers.ts'
import { egressFor, openMeter } from './readings.ts'
import type { Meter } from './readings.ts'
import { removeRecord, saveRecord } from './records.ts'
import type { SandboxRecord } from './records.ts'
import { Refusal } from './refuse.ts'

interface Live {
  readonly record: SandboxRecord
  meter?: Meter
  readonly waiting: Set<(exit: Exit) => void>
}

export interface Sandboxes {
  start(spec: SandboxSpec): Promise<Sandbox>
  list(): Sandbox[]
  read(): Promise<WireReading[]>
  stop(input: { id: string; graceMs: number }): Promise<Sandbox>
  freeze(input: { id: string; frozen: boolean }): Promise<Sandbox>
  limit(input: { id: string; cpuPercent: number }): Promise<Sandbox>
  remove(id: string): Promise<void>
  wait(input: { id: string; timeoutMs: number }): Promise<Exit | null>
  /** Whether a sandbox that has not exited uses this release or scratch disk. */
  uses(what: { release: string } | { scratch: string }): boolean
  close(): void
}

/** A sandbox whose supervisor was killed leaves no exit file; its process is looked after this often. */
const checkEveryMs = 2000
/** After KILL the kernel needs a moment, on a loaded machine a long one. */
const killTimeoutMs = 30_000

export interface Needs {
  readonly at: Instance
  readonly cgroups: Cgroups
  readonly locks: Locks
  readonly numbers: Numbers
  /** The number of a scratch disk, whose user ids its sandboxes take over. */
  readonly scratchIndex: (id: string) => number | undefined
}

export async function openSandboxes(needs: Needs, records: readonly SandboxRecord[]): Promise<Sandboxes> {
  const { at, cgroups, locks, numbers } = needs
  const all = new Map<string, Live>()
  const machineBoot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

  for (const record of records) await adopt(record)
  const watcher: FSWatcher = watch(exitsFolder(at), (_, id) => settleLater(id ?? ''))
  const timer = setInterval(() => [...all.keys()].forEach(settleLater), checkEveryMs)

  async function adopt(record: SandboxRecord): Promise<void> {
    const { id } = record.spec
    if (record.state === 'creating') {
      await dismantle(at, { id, index: record.index }, cgroups)
      await removeRecord(at, id)
      return
    }
    const live: Live = { record, waiting: new Set() }
    all.set(id, live)
    if (record.state === 'exited') return
    if (record.machineBoot !== machineBoot) return finish(live, lostExit('was ended when the machine restarted'))
    live.meter = openMeter(at, record, cgroups)
    await settle(live)
  }

  async function start(spec: SandboxSpec): Promise<Sandbox> {
    const existing = all.get(spec.id)
    if (existing) {
      if (!isDeepStrictEqual(existing.record.spec, spec))
        throw new Refusal('conflict', `sandbox ${spec.id} exists with another spec; remove it first`)
      return view(existing)
    }
    const scratchIndex = spec.scratch === undefined ? undefined : needs.scratchIndex(spec.scratch)
    if (spec.scratch !== undefined && scratchIndex === undefined)
      throw new Refusal('missing', `there is no scratch disk ${spec.scratch}; make it first`)
    const index = numbers.take()
    const record: SandboxRecord = {
      spec,
      index,
      idsIndex: scratchIndex ?? index,
      boot: randomUUID(),
      machineBoot,
      state: 'creating',
      pid: 0,
      startedAt: 0,
    }
    await saveRecord(at, record)
    try {
      await assemble(at, record, cgroups)
      record.pid = await createContainer(at, {
        id: spec.id,
        bundle: bundleFolder(at, spec.id),
        log: await makeLog(spec.id),
      })
      const live: Live = { record, waiting: new Set(), meter: openMeter(at, record, cgroups) }
      await startContainer(at, spec.id)
      record.startedAt = Date.now()
      record.state = 'running'
      await saveRecord(at, record)
      all.set(spec.id, live)
      settleLater(spec.id)
      return view(live)
    } catch (error) {
      await dismantle(at, { id: spec.id, index }, cgroups)
      await removeFile(logFile(spec.id))
      await removeRecord(at, spec.id)
      numbers.give(index)
      throw error
    }
  }

  const logFile = (id: string) => join(at.root, logsFolder, `${id}.log`)

  async function makeLog(id: string): Promise<string> {
    const handle = await open(logFile(id), 'w', 0o640)
    await handle.close()
    await chown(logFile(id), 0, at.gid)
    return logFile(id)
  }

  function view({ record }: Live): Sandbox {
    const { spec, state, exit } = record
    const running = state === 'running' && cgroups.frozen(cgroupOf(at, spec.id)) ? 'frozen' : 'running'
    return {
      id: spec.id,
      state: state === 'creating' ? 'created' : state === 'exited' ? 'exited' : running,
      address: addressOf(at, record.index),
      pid: record.pid,
      ...(exit && { exit }),
      startedAt: record.startedAt,
    }
  }

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
    if (live?.record.state !== 'running' || !hasEnded(live)) return
    void locks.hold(id, () => settle(live)).catch((error: unknown) => console.error(`settling ${id}:`, error))
  }

  const hasEnded = ({ record }: Live) =>
    exitCode(at, record.spec.id) !== undefined || !existsSync(`/proc/${record.pid}`)

  /** Takes the last reading of a sandbox that has ended, keeps it with the exit, and frees everything else. */
  async function settle(live: Live): Promise<void> {
    if (live.record.state !== 'running' || !hasEnded(live)) return
    const { id, limits } = live.record.spec
    let code = exitCode(at, id)
    // The process is gone a moment before conmon has written the file.
    for (let tries = 0; code === undefined && tries < 20; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      code = exitCode(at, id)
    }
    const last = live.meter?.read(await egressFor(at, [live.record]))
    if (last) live.record.last = last
    const oomKills = last?.oomKills ?? 0
    await finish(
      live,
      code === undefined
        ? lostExit('ended together with its supervisor')
        : exitOf({ code, oomKills, memoryBytes: limits.memoryBytes }),
    )
  }

  async function finish(live: Live, exit: Exit): Promise<void> {
    const { record } = live
    record.exit = exit
    record.state = 'exited'
    record.pid = 0
    await saveRecord(at, record)
    live.meter?.close()
    delete live.meter
    await dismantle(at, { id: record.spec.id, index: record.index }, cgroups)
    for (const tell of live.waiting) tell(exit)
    live.waiting.clear()
  }

  async function end(live: Live, graceMs: number): Promise<void> {
    const { id } = live.record.spec
    const group = cgroupOf(at, id)
    const signal = async (name: 'TERM' | 'KILL', timeoutMs: number) => {
      await signalContainer(at, { id, signal: name })
      // A frozen process gets its signal when it thaws.
      if (cgroups.frozen(group)) await cgroups.freeze(group, false)
      await until(() => hasEnded(live), timeoutMs)
    }
    if (graceMs > 0) await signal('TERM', graceMs)
    if (!hasEnded(live)) await signal('KILL', killTimeoutMs)
    await settle(live)
  }

  return {
    start: (spec) => locks.hold(spec.id, () => start(spec)),
    list: () => [...all.values()].map(view),
    async read() {
      const egress = await egressFor(
        at,
        [...all.values()].filter(({ meter }) => meter).map(({ record }) => record),
      )
      return [...all.values()].flatMap(({ meter, record }) => meter?.read(egress) ?? record.last ?? [])
    },
    stop: ({ id, graceMs }) =>
      locks.hold(id, async () => {
        const live = find(id)
        if (live.record.state === 'running') await end(live, graceMs)
        return view(live)
      }),
    freeze: ({ id, frozen }) =>
      locks.hold(id, async () => {
        const live = findRunning(id)
        await cgroups.freeze(cgroupOf(at, id), frozen)
        return view(live)
      }),
    limit: ({ id, cpuPercent }) =>
      locks.hold(id, async () => {
        const live = findRunning(id)
        cgroups.limitCpu(cgroupOf(at, id), cpuPercent)
        return view(live)
      }),
    remove: (id) =>
      locks.hold(id, async () => {
        const live = all.get(id)
        if (!live) return
        if (live.record.state === 'running') await end(live, 0)
        all.delete(id)
        await removeFile(logFile(id))
        await removeRecord(at, id)
        numbers.give(live.record.index)
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
    uses: (what) =>
      [...all.values()].some(
        ({ record }) =>
          record.state !== 'exited' &&
          ('release' in what ? record.spec.release === what.release : record.spec.scratch === what.scratch),
      ),
    close() {
      watcher.close()
      clearInterval(timer)
      for (const { meter } of all.values()) meter?.close()
    },
  }
}

async function until(isDone: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!isDone() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5))
}
