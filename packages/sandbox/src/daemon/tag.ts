/**
 * A root's name on the machine, 8 hex digits: mounts, interfaces, control groups and user ids are called by it. It
 * follows from the root's path when the root is new, and stays with the root: a folder that was moved finds what it
 * left on the machine. Which root goes by a name is noted in /run; so a copy of a root that still exists, or a new root
 * where another used to be, gets a name of its own.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Ranges of user ids for all roots but the default one, which has its own. */
const uidRanges = 8

const keptRange = (root: string) => join(root, 'uid-range')
const kept = (root: string) => join(root, 'tag')
const holder = (tag: string) => `/run/perennial-${tag}.root`

export function tagOf(root: string): string {
  return read(kept(root)) ?? derive(root)
}

/** Answers whether the root had another name, under which it can have left nothing on this machine. */
export function claimTag(root: string): { isRenamed: boolean } {
  const own = read(kept(root))
  // A root of an earlier version has no name of its own, and things on the machine under the one that is derived.
  const isNew = own === undefined && !existsSync(join(root, 'subnet'))
  for (let salt = 0; ; salt++) {
    const tag = salt === 0 ? (own ?? derive(root)) : derive(`${root}#${salt}`)
    if (isOthers(tag, { root, own })) continue
    write(kept(root), tag)
    write(holder(tag), root)
    const isRenamed = own !== undefined && own !== tag
    if (isNew || isRenamed) write(keptRange(root), String(freeRange(root)))
    return { isRenamed }
  }
}

export function dropTag(root: string): void {
  rmSync(holder(tagOf(root)), { force: true })
}

function isOthers(tag: string, { root, own }: { root: string; own: string | undefined }): boolean {
  const other = read(holder(tag))
  if (other === undefined) return false
  // Without a name of its own, a root that the note calls by this one is not the root that was noted.
  if (other === root) return own !== tag
  return own !== tag || read(kept(other)) === tag
}

/** Which of the ranges is this root's; without a note, as of an earlier version, it follows from the name. */
export function uidRangeOf(root: string): number {
  const noted = read(keptRange(root))
  return noted === undefined ? rangeOfName(root) : Number(noted) % uidRanges
}

const rangeOfName = (root: string) => parseInt(tagOf(root), 16) % uidRanges

/** One that nobody else on the machine has, as long as there is one. */
function freeRange(root: string): number {
  const tags = readdirSync('/run').flatMap((name) => /^perennial-([0-9a-f]{8})\.root$/.exec(name)?.[1] ?? [])
  const others = tags.map((tag) => read(holder(tag)) ?? '').filter((other) => other !== root && existsSync(kept(other)))
  const taken = new Set(others.map(uidRangeOf))
  const first = rangeOfName(root)
  const ranges = Array.from({ length: uidRanges }, (_, i) => (first + i) % uidRanges)
  return ranges.find((range) => !taken.has(range)) ?? first
}

function derive(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}

function read(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
}

function write(path: string, text: string): void {
  writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
