import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { claimTag, dropTag, tagOf, uidRangeOf } from './tag.ts'

test('roots beside each other have ranges of user ids of their own, and keep them', () => {
  const folder = mkdtempSync('/var/tmp/perennial-tags-')
  const roots = Array.from({ length: 5 }, () => mkdtempSync(join(folder, 'root-')))
  const others = readdirSync('/run').filter((name) => /^perennial-.*\.root$/.test(name)).length
  try {
    for (const root of roots) assert.deepEqual(claimTag(root), { isRenamed: false })
    const ranges = roots.map((root) => uidRangeOf(root))
    // There are eight; daemons of other tests have some of them, and one may have begun meanwhile.
    assert.ok(new Set(ranges).size >= Math.min(roots.length, 8 - others) - 1, `${ranges.join()} beside ${others}`)
    for (const root of roots) assert.deepEqual(claimTag(root), { isRenamed: false })
    assert.deepEqual(
      roots.map((root) => uidRangeOf(root)),
      ranges,
    )
  } finally {
    for (const root of roots) dropTag(root)
    rmSync(folder, { recursive: true })
  }
})

test('a root of an earlier version keeps the name and the user ids under which it left things on the machine', () => {
  const folder = mkdtempSync('/var/tmp/perennial-tags-')
  const roots = Array.from({ length: 12 }, () => mkdtempSync(join(folder, 'root-')))
  try {
    for (const root of roots) {
      const derived = tagOf(root)
      writeFileSync(join(root, 'subnet'), '10.99.0.0/16')
      const range = uidRangeOf(root)
      claimTag(root)
      assert.deepEqual([tagOf(root), uidRangeOf(root)], [derived, range])
    }
  } finally {
    for (const root of roots) dropTag(root)
    rmSync(folder, { recursive: true })
  }
})
