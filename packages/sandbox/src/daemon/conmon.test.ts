import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createAnswer } from './conmon.ts'

test('what the supervisor answers is a process or a complaint, whatever it is', () => {
  assert.deepEqual(createAnswer('{"pid":123}').pid, 123)
  assert.deepEqual(createAnswer('{"pid":-1,"message":" no such folder\\n"}'), { complaint: 'no such folder' })
  assert.match(createAnswer('{"pid":12').complaint, /conmon answered \{"pid":12/)
  const line = fc.oneof(fc.string(), fc.json(), fc.constantFrom('null', '7', '{"pid":{}}', '{"pid":0.5}', '[]'))
  fc.assert(
    fc.property(line, (text) => {
      const { pid, complaint } = createAnswer(text)
      assert.ok(pid === undefined ? typeof complaint === 'string' : pid > 0)
    }),
  )
})
