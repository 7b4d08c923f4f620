/**
 * One private PostgreSQL for each app that declares a database: a sandbox of its own beside the app's, on a disk of its
 * own, without a network. It is metered as one of the app's instances, wakes before them and freezes after them. What
 * it acknowledged is on disk, so a freeze or a kill at any moment takes nothing back.
 */
import { open } from 'node:fs/promises'
import { isRefusal, refuse, type Refusal } from '@perennial/protocol'
import { SandboxRefused, type Sandbox, type SandboxClient } from '@perennial/sandbox/client'
import type { Logs } from '../../apps/index.ts'
import type { AccountName, Metering } from '../../metering/index.ts'
import { serial, type Serial } from '../../serial.ts'
import type { Services } from '../../services.ts'
import { databaseDisks, databaseSpec, READY } from './database-program.ts'
import type { Disks } from './disks.ts'

export interface DatabasesDeps {
  readonly sandbox: SandboxClient
  readonly disks: Pick<Disks, 'ensure' | 'current'>
  readonly metering: Pick<Metering, 'attach' | 'detach' | 'settle'>
  readonly logs: Pick<Logs, 'append'>
}

export interface Databases {
  /** It runs and answers, or why not. Again with another payer: that one pays from now on. */
  up(ask: { app: string; payer: AccountName; letGo: () => Promise<void> }): Promise<Refusal | null>
  /** The release that starts has none: the next sleep stops it. */
  unwanted(app: string): void
  wake(app: string): Promise<void>
  sleep(app: string): Promise<void>
  stop(app: string): Promise<void>
  /** While it stands still. */
  still<T>(app: string, work: () => Promise<T>): Promise<T>
  /** What ended by itself is started again, without holding up whoever looks. */
  look(sandboxes: ReadonlyMap<string, Sandbox>): void
  /** After a start of the node: what an app that goes on needs goes on, everything else is stopped. */
  reconcile(kept: readonly KeptApp[], sandboxes: ReadonlyMap<string, Sandbox>): Promise<void>
}

/** An app whose instance outlived the node. */
export interface KeptApp {
  readonly app: string
  readonly payer: AccountName
  readonly asleep: boolean
}

/** Of one that runs, or sleeps; a stopped one has none. */
interface Entry {
  asleep: boolean
  payer: AccountName
  wanted: boolean
  failures: number
  tryAtMs: number
}

const OURS = /^d-[0-9a-f]{32}$/
const READY_WITHIN_MS = 60_000
const ASK_MS = 20
/** What a database prints before it is ready fits in this, unless its app fills its log on purpose. */
const LOG_BYTES = 256 * 1024
const GRACE_MS = 10_000
const LONGEST_BACK_OFF_MS = 60_000

export const databaseIdOf = (app: string) => `d-${app.replaceAll('-', '')}`
const appOf = (id: string) => id.slice(2).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

export function openDatabases(
  { config, clock, diagnostics }: Pick<Services, 'config' | 'clock' | 'diagnostics'>,
  { sandbox, disks, metering, logs }: DatabasesDeps,
): Databases {
  const entries = new Map<string, Entry>()
  /** One an app, as long as the node runs. */
  const turns = new Map<string, Serial>()

  const inTurn = <T>(app: string, work: () => Promise<T>): Promise<T> => {
    const turn = turns.get(app) ?? serial()
    turns.set(app, turn)
    return turn(work)
  }

  const stateOf = async (id: string) => (await sandbox.list()).find((one) => one.id === id)?.state

  /** Its last reading is counted and charged before anything of it is forgotten. */
  async function reap(app: string): Promise<void> {
    const id = databaseIdOf(app)
    const there = (await stateOf(id)) !== undefined
    if (there) await sandbox.stop({ id, graceMs: GRACE_MS })
    await metering.detach(id)
    await metering.settle(app)
    if (there) await sandbox.remove({ id })
  }

  async function up(app: string, payer: AccountName, letGo: () => Promise<void>): Promise<Refusal | null> {
    const id = databaseIdOf(app)
    const letAllGo = async () => {
      await letGo()
      await stop(app)
    }
    const sizes = databaseDisks(config.app.databaseBytes)
    const rows = await disks.ensure({ app, path: 'rows', sizeBytes: sizes.rows }, letAllGo)
    if (isRefusal(rows)) return rows
    const cluster = await disks.ensure({ app, path: 'cluster', sizeBytes: sizes.cluster }, letAllGo)
    if (isRefusal(cluster)) return cluster
    let state = await stateOf(id)
    if (state === 'exited' || state === 'created') {
      await reap(app)
      state = undefined
    }
    const unpaid = await metering.attach({ app, instance: id, payer })
    if (unpaid) return unpaid
    if (state === 'frozen') await sandbox.thaw({ id })
    if (state === undefined) await sandbox.start(databaseSpec({ id, share: id, disks: { rows, cluster } }))
    const known = entries.get(app)
    entries.set(app, { failures: 0, tryAtMs: 0, ...known, asleep: false, payer, wanted: true })
    return ready(id)
  }

  async function ready(id: string): Promise<Refusal | null> {
    const giveUpMs = clock.monotonicMs() + READY_WITHIN_MS
    for (;;) {
      if (READY.test(await beginningOf(sandbox.logPath(id)))) return null
      // The question for its end is the pause between two looks.
      const exit = await sandbox.wait({ id, timeoutMs: ASK_MS })
      if (exit) return notUp(`it ${exit.sentence}`)
      if (clock.monotonicMs() > giveUpMs) return notUp(`it did not answer within ${READY_WITHIN_MS / 1000} s`)
    }
  }

  async function stop(app: string): Promise<void> {
    if (!entries.delete(app) && (await stateOf(databaseIdOf(app))) === undefined) return
    await reap(app)
  }

  async function freeze(app: string): Promise<void> {
    await sandbox.freeze({ id: databaseIdOf(app) }).catch(onlyRefused)
  }

  async function wake(app: string, entry: Entry): Promise<void> {
    entry.asleep = false
    const thawed = await sandbox.thaw({ id: databaseIdOf(app) }).catch(onlyRefused)
    if (thawed?.state !== 'running') await again(app, entry, 'is gone')
  }

  /** Started again after it ended; an app that fails again and again is tried less and less often. */
  async function again(app: string, entry: Entry, sentence: string): Promise<void> {
    entry.failures++
    entry.tryAtMs = clock.monotonicMs() + Math.min(1000 * 2 ** Math.min(entry.failures - 1, 10), LONGEST_BACK_OFF_MS)
    const failed = await up(app, entry.payer, () => Promise.resolve())
    const level = failed ? 'warn' : 'ok'
    const text = failed ? `the database ${sentence}; ${failed.sentence}` : `the database ${sentence}; it runs again`
    await logs.append(app, 'node', [{ level, text }])
  }

  const mending = new Set<string>()
  /** Looked at once more: whoever had the turn before may have stopped or started it. */
  async function mend(app: string, entry: Entry, sentence: string): Promise<void> {
    const state = await stateOf(databaseIdOf(app))
    if (entries.get(app) === entry && !entry.asleep && (state === undefined || state === 'exited'))
      await again(app, entry, sentence)
  }

  return {
    up: ({ app, payer, letGo }) =>
      inTurn(app, async () => {
        const served = entries.has(app)
        const failed = await up(app, payer, letGo)
        // One that others use goes on.
        if (failed && !served) await stop(app)
        return failed
      }),
    unwanted(app) {
      const entry = entries.get(app)
      if (entry) entry.wanted = false
    },
    async wake(app) {
      if (!entries.has(app)) return
      await inTurn(app, async () => {
        const entry = entries.get(app)
        if (entry?.asleep) await wake(app, entry)
      })
    },
    async sleep(app) {
      if (!entries.has(app)) return
      await inTurn(app, async () => {
        const entry = entries.get(app)
        if (!entry || entry.asleep) return
        if (!entry.wanted) return stop(app)
        entry.asleep = true
        await freeze(app)
      })
    },
    stop: (app) => inTurn(app, () => stop(app)),
    still: (app, work) =>
      inTurn(app, async () => {
        const runs = entries.get(app)?.asleep === false
        if (runs) await freeze(app)
        try {
          return await work()
        } finally {
          if (runs) await sandbox.thaw({ id: databaseIdOf(app) }).catch(onlyRefused)
        }
      }),
    look(sandboxes) {
      for (const [app, entry] of entries) {
        const found = sandboxes.get(databaseIdOf(app))
        if (entry.asleep || (found && found.state !== 'exited')) continue
        if (clock.monotonicMs() < entry.tryAtMs || mending.has(app)) continue
        mending.add(app)
        inTurn(app, () => mend(app, entry, found?.exit?.sentence ?? 'is gone'))
          .catch((error: unknown) => diagnostics.warn('a database could not be started again', { app, error }))
          .finally(() => mending.delete(app))
      }
    },
    async reconcile(kept, sandboxes) {
      const apps = new Set(kept.map(({ app }) => app))
      for (const id of sandboxes.keys())
        if (OURS.test(id) && !apps.has(appOf(id))) await inTurn(appOf(id), () => reap(appOf(id)))
      for (const { app, payer, asleep } of kept) {
        if (!(await disks.current(app)).some(({ path }) => path === 'cluster')) continue
        const entry: Entry = { asleep: true, payer, wanted: true, failures: 0, tryAtMs: 0 }
        entries.set(app, entry)
        // A kill may have come between the freeze of the app and that of its database.
        if (asleep) await freeze(app)
        else await inTurn(app, () => wake(app, entry))
      }
    },
  }
}

function notUp(why: string): Refusal {
  return refuse(
    'server-error/cannot-complete-request',
    `The app’s database did not start: ${why}.`,
    'Restore a backup, or ask the operator.',
  )
}

/** It has ended meanwhile: who looks after it starts it again. */
function onlyRefused(error: unknown): void {
  if (!(error instanceof SandboxRefused)) throw error
}

async function beginningOf(path: string): Promise<string> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    // Not made yet, or not yet opened up to the node.
    if (error.code === 'ENOENT' || error.code === 'EACCES') return null
    throw error
  })
  if (!file) return ''
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LOG_BYTES), 0, LOG_BYTES, 0)
    return buffer.subarray(0, bytesRead).toString('latin1')
  } finally {
    await file.close()
  }
}
