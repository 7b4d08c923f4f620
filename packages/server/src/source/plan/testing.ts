/** For tests: plans of repositories that are given as files. */
import assert from 'node:assert/strict'
import { isRefusal } from '@perennial/protocol'
import { LOCKFILES, type Listing } from '../fetched.ts'
import { planBuild } from './detect.ts'
import type { Plan, PlanRefusal } from './plan.ts'

export type Given = Readonly<Record<string, string | object>>

/** A folder's listing as a fetch would give it. */
export function listingOf(files: Given): Listing {
  const texts = Object.entries(files).map(
    ([name, content]) => [name, typeof content === 'string' ? content : JSON.stringify(content)] as const,
  )
  const locks = texts.filter(([name]) => (LOCKFILES as readonly string[]).includes(name))
  return {
    files: new Map(texts.filter(([name]) => !name.endsWith('/'))),
    paths: new Set(Object.keys(files)),
    lockfiles: new Map(locks.map(([name, text]) => [name, { sha256: 'ab'.repeat(32), head: text.slice(0, 300) }])),
  }
}

/** `inner`: the folder that is wanted, below a top that holds `files`. */
export function plan(files: Given, inner?: { root: string; files: Given }): Plan | PlanRefusal {
  if (inner === undefined) return planBuild(listingOf(files))
  return planBuild({ ...listingOf(inner.files), root: inner.root, top: listingOf(files) })
}

export function planned(files: Given, inner?: { root: string; files: Given }): Plan {
  const found = plan(files, inner)
  assert.ok(!isRefusal(found), isRefusal(found) ? found.sentence : '')
  return found
}

export function refused(files: Given, inner?: { root: string; files: Given }): PlanRefusal {
  const found = plan(files, inner)
  assert.ok(isRefusal(found) && 'lookedFor' in found, JSON.stringify(found))
  return found
}

export const titles = ({ steps }: Plan): string[] => steps.map(({ title }) => title)
