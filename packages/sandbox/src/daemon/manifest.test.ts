import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { manifestOf } from './manifest.ts'

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'manifest-'))
  try {
    return work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('a manifest names every file once, with its mode, contents and size, in the order of bytes', () => {
  const text = inFolder((folder) => {
    mkdirSync(join(folder, 'a'))
    chmodSync(join(folder, 'a'), 0o755)
    writeFileSync(join(folder, 'a/b'), 'hello')
    chmodSync(join(folder, 'a/b'), 0o600)
    writeFileSync(join(folder, 'a.b'), '')
    chmodSync(join(folder, 'a.b'), 0o4750)
    symlinkSync('a/b', join(folder, 'link'))
    symlinkSync('to \n -> x', join(folder, 'od d\\é'))
    return manifestOf(folder)
  })
  const expected = [
    '040777 - 0 a',
    `100777 ${sha256('')} 0 a.b`,
    `100666 ${sha256('hello')} 5 a/b`,
    '120777 - 3 link -> a/b',
    '120777 - 9 od\\x20d\\x5c\\xc3\\xa9 -> to\\x20\\x0a\\x20->\\x20x',
  ]
  assert.equal(text, expected.map((line) => `${line}\n`).join(''))
})

test('whatever files are called, each is one line of four words, and no two are mistaken for one another', () => {
  const name = fc
    .uint8Array({ minLength: 1, maxLength: 20 })
    .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 47 ? 65 : byte))))
    .filter((bytes) => !['.', '..'].includes(bytes.toString()))
  const names = fc.uniqueArray(name, { maxLength: 20, selector: (bytes) => bytes.toString('latin1') })
  const property = fc.property(names, (given) =>
    inFolder((folder) => {
      for (const each of given) writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), each]), each)
      const lines = manifestOf(folder).split('\n').slice(0, -1)
      assert.equal(lines.length, given.length)
      const sorted = given.toSorted(Buffer.compare)
      for (const [i, line] of lines.entries()) {
        const words = line.split(' ')
        const bytes = sorted[i] ?? Buffer.alloc(0)
        assert.deepEqual(words.slice(1, 3), [sha256(bytes), String(bytes.length)])
        const plain = (words[3] ?? '').replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
          String.fromCharCode(parseInt(hex, 16)),
        )
        assert.deepEqual(Buffer.from(plain, 'latin1'), bytes)
        assert.equal(words.length, 4)
      }
    }),
  )
  fc.assert(property, { numRuns: 100 * Number(process.env['TEST_SCALE'] ?? 1) })
})
