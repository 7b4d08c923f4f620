import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { openOutput, openRecords, readOutput } from './output.ts'

const runs = 100 * Number(process.env['TEST_SCALE'] ?? 1)
const folder = mkdtempSync(join(tmpdir(), 'perennial-output-'))
test.after(() => rmSync(folder, { recursive: true }))
const record = (text: string, kind = 'F', stream = 'stdout') =>
  `2026-01-01T00:00:00.000000001+00:00 ${stream} ${kind} ${text}\n`
const texts = (lines: { bytes: Buffer }[]) => lines.map(({ bytes }) => bytes.toString())

test('lines are read as they come, parts of a long line put together', async () => {
  const path = join(folder, 'a.log')
  const output = openOutput(path)
  assert.deepEqual(await output.read(), [])
  writeFileSync(path, record('one') + record('tw', 'P') + record('err', 'F', 'stderr'))
  assert.deepEqual(texts(await output.read()), ['one', 'err'])
  appendFileSync(path, record('o') + record('three').slice(0, 30))
  assert.deepEqual(texts(await output.read()), ['two'])
  appendFileSync(path, record('three').slice(30) + record('unfinished', 'P'))
  const [three] = await output.read()
  assert.deepEqual([three?.stream, three?.at.getUTCFullYear(), three?.bytes.toString()], ['out', 2026, 'three'])
  assert.deepEqual(texts(output.rest()), ['unfinished'])
  await output.close()
})

test('a letter that the log cut in two is one letter, whatever the other stream prints in between', async () => {
  const path = join(folder, 'letter.log')
  const [before, after] = [record('gr\xc3', 'P'), record('\xbc\xc3\x9fe')]
  writeFileSync(path, before + record('err', 'F', 'stderr') + after, 'latin1')
  assert.deepEqual(texts(await readOutput(path)), ['err', 'grüße'])
})

test('a reader that takes over goes on where the earlier one was, in the same file only', async () => {
  const path = join(folder, 'place.log')
  writeFileSync(path, record('one') + record('two').slice(0, 30))
  const first = openRecords(path)
  const [one] = await first.read()
  appendFileSync(path, record('two').slice(30))
  const second = openRecords(path, one?.place)
  assert.deepEqual(texts(await second.read()), ['two'])
  writeFileSync(`${path}.tmp`, record('three'))
  renameSync(`${path}.tmp`, path)
  const third = openRecords(path, one?.place)
  assert.deepEqual(texts(await third.read()), ['three'])
  for (const reader of [first, second, third]) await reader.close()
})

test('when the log begins anew, what was not read of the old one is read first', async () => {
  const path = join(folder, 'b.log')
  writeFileSync(path, record('one'))
  const output = openOutput(path)
  await output.read()
  appendFileSync(path, record('two'))
  writeFileSync(`${path}.tmp`, record('three'))
  renameSync(`${path}.tmp`, path)
  assert.deepEqual([...texts(await output.read()), ...texts(await output.read())], ['two', 'three'])
  await output.close()
})

test('any bytes are read without an error, and no line grows without end', async () => {
  const path = join(folder, 'c.log')
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map(Buffer.from),
    fc.string().map((text) => Buffer.from(record(text, 'P'))),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 20 }), async (parts) => {
      writeFileSync(path, Buffer.concat(parts))
      await readOutput(path)
    }),
    { numRuns: runs },
  )
  writeFileSync(path, record('x'.repeat(8000), 'P').repeat(100))
  for (const { bytes } of await readOutput(path)) assert.ok(bytes.length < 80_000)
})
