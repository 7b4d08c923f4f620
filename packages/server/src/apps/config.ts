/**
 * Settings of an app: what its admin gives it beside what its repository says. Public ones are shown to everyone;
 * secret ones are kept sealed, given to the app's processes, and shown to nobody.
 */
import { randomBytes } from 'node:crypto'
import { refuse, type Refusal } from '@perennial/protocol'
import type { Queryable, Transaction } from '../database.ts'
import { Secret } from '../diagnostics.ts'
import type { ConfigKey } from '../keys.ts'
import { serial } from '../serial.ts'
import type { Services } from '../services.ts'
import { openSeal, type Seal } from './config-seal.ts'
import { scrubber, type KnownSecret, type Scrub } from './config-scrub.ts'
import {
  endVars,
  forgetVars,
  insertVar,
  nextVersion,
  resealVar,
  secretsOf,
  varsOf,
  versionOf,
  type VarRow,
} from './queries/config.ts'

/** A setting as everyone may see it. */
export interface Setting {
  readonly name: string
  readonly secret: boolean
  /** Null: it is secret. */
  readonly value: string | null
  readonly at: Date
}

export interface NewSetting {
  readonly value: string
  readonly secret: boolean
}

export type Settings = Readonly<Record<string, NewSetting>>

export interface AppConfig {
  list(app: string): Promise<Setting[]>
  /** The number of the last change; 0: there was none. */
  version(on: Queryable, app: string): Promise<number>
  /** Null: all of it was so already. */
  set(tx: Transaction, app: string, settings: Settings): Promise<number | Refusal | null>
  unset(tx: Transaction, app: string, names: readonly string[]): Promise<number | null>
  /** What its processes find set, as of a version. */
  environment(app: string, version: number): Promise<Readonly<Record<string, string>>>
  /** Makes random secrets of those names that are not set; they hold from this version on. */
  generate(app: string, wanted: { names: readonly string[]; version: number }): Promise<void>
  /** Whatever no release from this version on can want is forgotten. */
  forget(on: Queryable, app: string, version: number): Promise<void>
  /** Seals everything under a new key, and forgets the old one. */
  rotate(): Promise<void>
  /** At start: ends a rotation that a kill interrupted. */
  recover(): Promise<void>
  /** What takes an app's secrets out of a text; null: it has none. */
  scrub(app: string): Promise<Scrub | null>
}

const MOST = 100
const LONGEST = 32_000
const MOST_BYTES = 128 * 1024
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,99}$/
/** What the node itself tells a process. */
const RESERVED = new Set(['PORT', 'HOST', 'APP_URL'])

export function openConfig(
  { database, clock, diagnostics }: Pick<Services, 'database' | 'clock' | 'diagnostics'>,
  { key }: { readonly key: ConfigKey },
): AppConfig {
  let seal: Seal = openSeal(key.keys)
  /** Of apps that printed something since their settings were given to a process. */
  const scrubs = new Map<string, Promise<Scrub | null>>()
  const rotating = serial()

  const reveal = ({ app, name, value, sealed }: VarRow): string =>
    sealed === null ? (value ?? '') : seal.open({ app, name }, sealed).reveal()

  async function write(tx: Transaction, app: string, settings: Settings, since: number): Promise<void> {
    await endVars(tx, app, Object.keys(settings), since)
    for (const [name, { value, secret }] of Object.entries(settings)) {
      const sealed = secret ? seal.seal({ app, name }, new Secret(value)) : null
      await insertVar(tx, { app, name, since, secret, value: secret ? null : value, sealed, at: clock.now() })
    }
  }

  async function load(app: string): Promise<Scrub | null> {
    const rows = await secretsOf(database, app)
    return scrubber(rows.flatMap((row) => readable(row) ?? []))
  }

  /** What cannot be opened was given to nobody, so nobody prints it. */
  function readable(row: VarRow): KnownSecret | null {
    try {
      return { name: row.name, value: reveal(row) }
    } catch (error) {
      diagnostics.error(`a secret setting of app ${row.app} cannot be opened`, { name: row.name, error })
      return null
    }
  }

  /** A kill in between leaves both keys. */
  const rotate = () =>
    rotating(async () => {
      seal = openSeal(await key.begin())
      await reseal()
      seal = openSeal(await key.finish())
    })

  async function reseal(): Promise<void> {
    await database.transaction(async (tx) => {
      for (const row of await secretsOf(tx)) {
        if (row.sealed === null || seal.isCurrent(row.sealed)) continue
        await resealVar(tx, { ...row, sealed: seal.seal(row, seal.open(row, row.sealed)) })
      }
    })
  }

  return {
    list: async (app) =>
      (await varsOf(database, app)).map(({ name, secret, value, at }) => ({ name, secret, value, at })),
    version: (on, app) => versionOf(on, app),
    async set(tx, app, settings) {
      const now = new Map((await varsOf(tx, app)).map((row) => [row.name, row]))
      const changed = Object.entries(settings).filter(([name, { value, secret }]) => {
        const row = now.get(name)
        return !row || row.secret !== secret || reveal(row) !== value
      })
      const wrong =
        problemOf(settings) ??
        tooMuch(
          [...now.values()].map((row) => [row.name, reveal(row)]),
          settings,
        )
      if (wrong) return wrong
      if (changed.length === 0) return null
      const since = await nextVersion(tx, app)
      await write(tx, app, Object.fromEntries(changed), since)
      return since
    },
    async unset(tx, app, names) {
      const now = new Set((await varsOf(tx, app)).map(({ name }) => name))
      const known = names.filter((name) => now.has(name))
      if (known.length === 0) return null
      const version = await nextVersion(tx, app)
      await endVars(tx, app, known, version)
      return version
    },
    async environment(app, version) {
      const rows = await varsOf(database, app, version)
      // Who prints after this may print a value that was not known before.
      scrubs.delete(app)
      return Object.fromEntries(rows.map((row) => [row.name, reveal(row)]))
    },
    async generate(app, { names, version }) {
      if (names.length === 0) return
      await database.transaction(async (tx) => {
        const known = new Set((await varsOf(tx, app)).map(({ name }) => name))
        const missing = names.filter((name) => !known.has(name))
        const made = missing.map((name) => [name, { value: randomBytes(32).toString('hex'), secret: true }] as const)
        await write(tx, app, Object.fromEntries(made), version)
      })
    },
    forget: (on, app, version) => forgetVars(on, app, version),
    rotate,
    async recover() {
      if (key.keys.length > 1) await rotate()
    },
    scrub(app) {
      const known = scrubs.get(app) ?? load(app)
      scrubs.set(app, known)
      // A failure is its caller's to see, and is tried anew next time.
      known.catch(() => scrubs.delete(app))
      return known
    },
  }
}

function problemOf(settings: Settings): Refusal | null {
  for (const [name, { value }] of Object.entries(settings)) {
    if (!NAME.test(name)) return wrong('A setting is named by letters, digits and _, and begins with no digit.')
    if (RESERVED.has(name)) return wrong(`${name} is set by the node.`)
    if (value.length > LONGEST || value.includes('\0'))
      return wrong(`The value of ${name} is longer than ${LONGEST} characters, or holds a NUL.`)
  }
  return null
}

function tooMuch(now: readonly (readonly [string, string])[], settings: Settings): Refusal | null {
  const all = new Map([...now, ...Object.entries(settings).map(([name, { value }]) => [name, value] as const)])
  const bytes = [...all].reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value), 0)
  if (all.size <= MOST && bytes <= MOST_BYTES) return null
  return wrong(`An app has at most ${MOST} settings of ${MOST_BYTES / 1024} KiB together.`)
}

function wrong(sentence: string): Refusal {
  return refuse('client-error/invalid-arguments', `${sentence} Nothing was changed.`)
}
