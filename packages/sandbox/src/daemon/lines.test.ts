import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openLines } from './lines.ts'

test('lines come out as they went in, whatever pieces they were sent in', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'ä', '\n', '"'), maxLength: 60 })
  const property = fc.property(text, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sent, sizes) => {
    const bytes = Buffer.from(sent)
    const lines = openLines()
    const found: string[] = []
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = sizes[turn % sizes.length] ?? 1
      lines.push(Buffer.from(bytes.subarray(at, at + size)))
      at += size
      // Sometimes nobody looks for a while.
      if (turn % 3 === 0) for (let line = lines.next(); line; line = lines.next()) found.push(line.toString())
    }
    for (let line = lines.next(); line; line = lines.next()) found.push(line.toString())
    const expected = sent.split('\n')
    const rest = expected.pop() ?? ''
    assert.deepEqual(found, expected)
    assert.equal(lines.heldBytes, Buffer.byteLength(rest))
  })
  fc.assert(property, { numRuns: 300 * Number(process.env['TEST_SCALE'] ?? 1) })
})
