/**
 * Ranges of user ids that sandboxes of one owner have in common: what one leaves in a share (a socket's lock file,
 * say), its successor must be able to take away. The number of an owner's first sandbox is the owner's, too, and stays
 * taken as long as a sandbox of the owner exists or a share that one of them had is still there.
 *
 * The notes lie in memory, as shares do: both are gone when the machine restarts.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SandboxSpec } from '../verbs.ts'
import type { Instance } from './instance.ts'
import type { Numbers } from './numbers.ts'
import { isShared } from './shares.ts'

interface Note {
  readonly owner: string
  readonly index: number
  readonly shares: readonly string[]
}

export interface Owners {
  /** The number of its owner's ids: what it was, or else the sandbox's own. */
  enter(spec: SandboxSpec, index: number): number
  /** Whether a sandbox that is gone leaves its number to its owner. */
  holds(index: number): boolean
  /** Gives up the numbers of owners that have neither a sandbox nor a share left. */
  settle(isUsed: (owner: string) => boolean): void
}

const folder = (at: Instance) => join(at.run, 'owners')
const suffix = '.json'

export function loadOwners(at: Instance): Note[] {
  mkdirSync(folder(at), { recursive: true })
  const names = readdirSync(folder(at)).filter((name) => name.endsWith(suffix))
  return names.map((name) => JSON.parse(readFileSync(join(folder(at), name), 'utf8')) as Note)
}

export function openOwners(at: Instance, { numbers, notes }: { numbers: Numbers; notes: readonly Note[] }): Owners {
  const all = new Map(notes.map((note) => [note.owner, note]))
  const file = (owner: string) => join(folder(at), `${owner}${suffix}`)
  return {
    enter({ owner, mounts }, index) {
      if (owner === undefined) return index
      const before = all.get(owner) ?? { owner, index, shares: [] }
      const named = (mounts ?? []).filter(({ kind }) => kind === 'share').map(({ id }) => id)
      const note = { ...before, shares: [...new Set([...before.shares, ...named])] }
      all.set(owner, note)
      writeFileSync(`${file(owner)}.new`, JSON.stringify(note))
      renameSync(`${file(owner)}.new`, file(owner))
      return note.index
    },
    holds: (index) => [...all.values()].some((note) => note.index === index),
    settle(isUsed) {
      for (const { owner, index, shares } of all.values()) {
        if (isUsed(owner) || shares.some((id) => isShared(at, id))) continue
        all.delete(owner)
        unlinkSync(file(owner))
        numbers.give(index)
      }
    },
  }
}
