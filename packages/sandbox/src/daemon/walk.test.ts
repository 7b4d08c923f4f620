import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { Refusal } from './refuse.ts'
import { makeMountPoint, openFileBelow } from './walk.ts'

const scale = Number(process.env['TEST_SCALE'] ?? 1)
const home = mkdtempSync(join(tmpdir(), 'walk-'))
after(() => rmSync(home, { recursive: true }))
const owner = process.getuid?.() ?? 0

const outside = join(home, 'outside')
mkdirSync(outside)
writeFileSync(join(outside, 'file'), 'secret')

function makeDisk(name: string): string {
  const top = join(home, name)
  mkdirSync(join(top, 'a/b'), { recursive: true })
  for (const path of ['file', 'a/file', 'a/b/file']) writeFileSync(join(top, path), 'inside')
  for (const folder of ['', 'a', 'a/b']) {
    symlinkSync(outside, join(top, folder, 'absolute'))
    symlinkSync('../'.repeat(9) + outside.slice(1), join(top, folder, 'relative'))
    symlinkSync('file', join(top, folder, 'near'))
    symlinkSync('.', join(top, folder, 'self'))
  }
  return top
}

async function read(top: string, path: string): Promise<string | undefined> {
  try {
    const file = await openFileBelow({ top, path })
    const text = await file.readFile('utf8')
    await file.close()
    return text
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error))
    return undefined
  }
}

const part = fc.constantFrom('a', 'b', 'file', 'absolute', 'relative', 'near', 'self', 'none')
const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'))

test('no path leads through a link', async () => {
  const top = makeDisk('read')
  const property = fc.asyncProperty(path, async (given) => {
    const isPlain = ['file', 'a/file', 'a/b/file'].includes(given)
    assert.equal(await read(top, given), isPlain ? 'inside' : undefined)
  })
  await fc.assert(property, { numRuns: 300 * scale })
})

test('no folder is made outside the disk', async () => {
  const top = makeDisk('make')
  const before = readdirSync(outside)
  const kind = fc.constantFrom('folder' as const, 'file' as const)
  const property = fc.asyncProperty(path, kind, async (given, what) => {
    await makeMountPoint({ top, path: given, kind: what, owner }).catch((error: unknown) =>
      assert.ok(error instanceof Refusal, String(error)),
    )
    assert.deepEqual(readdirSync(outside), before)
  })
  await fc.assert(property, { numRuns: 300 * scale })
})

test('a folder that is swapped for a link at the wrong moment leads nowhere either', async () => {
  const top = makeDisk('race')
  mkdirSync(join(top, 'a/folder'))
  writeFileSync(join(top, 'a/folder/file'), 'inside')
  // Meanwhile we make folders where it wants to put links.
  const swap = `const fs = require('fs'); process.chdir(${JSON.stringify(join(top, 'a'))})
    const try_ = (work) => { try { work() } catch (error) { if (!/EEXIST|ENOENT|ENOTEMPTY|EISDIR|ENOTDIR/.test(error.code)) throw error } }
    for (;;) {
      try_(() => fs.renameSync('folder', 'away'))
      try_(() => fs.symlinkSync(${JSON.stringify(outside)}, 'folder'))
      try_(() => fs.rmSync('folder', { recursive: true, force: true }))
      try_(() => fs.renameSync('away', 'folder'))
    }`
  const swapper = spawn(process.execPath, ['-e', swap], { stdio: 'ignore' })
  const seen = new Set<string | undefined>()
  const deadline = Date.now() + 1000 * scale
  while (Date.now() < deadline) {
    seen.add(await read(top, 'a/folder/file'))
    await makeMountPoint({ top, path: 'a/folder/new', kind: 'file', owner }).catch(() => undefined)
  }
  assert.equal(swapper.exitCode, null)
  swapper.kill('SIGKILL')
  await once(swapper, 'close')
  assert.ok(!seen.has('secret'))
  assert.ok(seen.has('inside') && seen.has(undefined), [...seen].join())
  assert.deepEqual(readdirSync(outside), ['file'])
})
