import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { MalformedDocument } from './malformed.ts'
import { openReader } from './reader.ts'
import type { Job } from './reading.ts'

const folder = mkdtempSync(join(tmpdir(), 'perennial-reader-'))
const reader = openReader()
test.after(async () => {
  await reader.close()
  rmSync(folder, { recursive: true })
})
const scale = Number(process.env['TEST_SCALE'] ?? 1)
let made = 0

function openLimited(limits: Parameters<typeof openReader>[0]) {
  const limited = openReader(limits)
  return { ...limited, [Symbol.asyncDispose]: () => limited.close() }
}

function job(text: string | Buffer, kind: Job['kind'] = 'npm-full'): Job {
  const path = join(folder, String(++made))
  writeFileSync(path, text)
  return {
    kind,
    name: 'pear',
    path,
    url: 'http://x/',
    contentType: 'text/html',
    out: [`${path}.l`, `${path}.1`, `${path}.2`],
  }
}

const integrity = `sha512-${Buffer.alloc(64, 1).toString('base64')}`
const version = (n: number) => ({
  name: 'pear',
  version: `1.0.${n}`,
  dist: { tarball: `http://x/pear/-/pear-1.0.${n}.tgz`, integrity },
  dependencies: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`plum-${i}`, '^1.0.0'])),
})
const packument = (versions: number) =>
  JSON.stringify({
    name: 'pear',
    versions: Object.fromEntries(Array.from({ length: versions }, (_, n) => [`1.0.${n}`, version(n)])),
  })

test('a document of 20 MB is read while the node goes on', async () => {
  const text = packument(50_000)
  assert.ok(text.length > 19e6, `${text.length}`)
  let longestMs = 0
  let lastMs = performance.now()
  const watch = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs)
    lastMs = performance.now()
  }, 5)
  const large = job(text)
  lastMs = performance.now()
  const found = await reader.read(large)
  clearInterval(watch)
  assert.equal(readFileSync(found.listing.path).toString().split('\n').length, 50_002)
  assert.ok(longestMs < 500, `the node stood still for ${longestMs} ms`)
})

test('documents made to exhaust memory or the stack end in a sentence, and the next one is read', async () => {
  // A tenth of what the node allows, of everything; at full size in the long tests.
  const part = scale > 1 ? 1 : 10
  await using reader = openLimited({ heapMib: Math.floor(1024 / part), timeoutMs: 20_000 })
  const size = (60 * 2 ** 20) / part
  for (const [what, text] of [
    ['brackets', `{"name":"pear","versions":${'['.repeat(size)}`],
    ['nested objects', packument(1).replace('"^1.0.0"', '{"a":'.repeat(2_000_000) + '1' + '}'.repeat(2_000_000))],
    ['small objects', `{"name":"pear","versions":[${'{},'.repeat(size / 3)}{}]}`],
    ['no document', Buffer.alloc(size, 0xff)],
  ] as const) {
    await assert.rejects(reader.read(job(text)), MalformedDocument, what)
    const next = await reader.read(job(packument(1)))
    assert.equal(Object.keys(next.texts).length, 1)
  }
})

test('pages of a megabyte of tags are read, as long as they are pages', async () => {
  const found = await reader.read(job('<a href="x-1.0.tar.gz">'.repeat(50_000), 'python'))
  assert.deepEqual(Object.keys(found.texts), ['json', 'html'])
})
