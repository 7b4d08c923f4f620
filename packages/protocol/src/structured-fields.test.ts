import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Malformed } from './malformed.ts'
import { verifyRequest } from './signatures.ts'
import { formatMember, parseDictionary, parseList, type Item, type Member, type Value } from './structured-fields.ts'
import { SCALE, vectors } from './testing/vectors.ts'

const key = fc.stringMatching(/^[a-z*][a-z0-9_.*-]{0,8}$/)
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.stringMatching(/^[\x20-\x7e]{0,12}$/).map((text): Value => ({ kind: 'string', value: text })),
  fc
    .stringMatching(/^[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]{0,8}$/)
    .map((text): Value => ({ kind: 'token', value: text })),
  fc.integer({ min: -999_999_999, max: 999_999_999 }).map((number): Value => ({ kind: 'integer', value: number })),
  fc.uint8Array({ maxLength: 12 }).map((bytes): Value => ({ kind: 'bytes', value: Uint8Array.from(bytes) })),
  fc.boolean().map((yes): Value => ({ kind: 'boolean', value: yes })),
)
const params = fc
  .uniqueArray(fc.tuple(key, value), { maxLength: 3, selector: ([name]) => name })
  .map((list) => new Map(list))
const item: fc.Arbitrary<Item> = fc.tuple(value, params).map(([bare, with_]) => ({ ...bare, params: with_ }))
const member: fc.Arbitrary<Member> = fc.oneof(
  item,
  fc
    .tuple(fc.array(item, { maxLength: 4 }), params)
    .map(([items, with_]): Member => ({ kind: 'list', items, params: with_ })),
)

test('what is written is read back the same', () => {
  const entries = fc.uniqueArray(fc.tuple(key, member), { minLength: 1, maxLength: 4, selector: ([name]) => name })
  fc.assert(
    fc.property(entries, (list) => {
      const text = list.map(([name, one]) => `${name}=${formatMember(one)}`).join(', ')
      assert.deepEqual(parseDictionary(text), new Map(list))
      assert.deepEqual(
        parseList(list.map(([, one]) => formatMember(one)).join(',')),
        list.map(([, one]) => one),
      )
    }),
    { numRuns: 300 * SCALE },
  )
})

test('what is read and written again is read the same: no text has two meanings', () => {
  const pieces = fc.constantFrom(
    'a',
    'b',
    '=',
    ',',
    ' ',
    '(',
    ')',
    ';',
    '"',
    '\\',
    ':',
    'AA==',
    '1',
    '-',
    '.',
    '?',
    '*',
    '\t',
    '@',
  )
  const texts = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.array(pieces, { maxLength: 14 }).map((list) => list.join('')),
  )
  fc.assert(
    fc.property(texts, (text) => {
      let read
      try {
        read = parseDictionary(text)
      } catch (error) {
        assert.ok(error instanceof Malformed)
        return
      }
      const written = [...read].map(([name, one]) => `${name}=${formatMember(one)}`).join(', ')
      assert.deepEqual(parseDictionary(written), read)
    }),
    { numRuns: 3_000 * SCALE },
  )
})

test('what two readers could read differently is refused', () => {
  const wrong = [
    'a=1, a=2',
    'a=1;b;b',
    'a=1,',
    ',a=1',
    'a= 1',
    'a=1 b=2',
    'a=("x""y")',
    'a=("x"',
    'a="x',
    'a=:A:',
    'a=:A===:',
    'a=:AB==:',
  ]
  wrong.push(
    'A=1',
    'a=01',
    'a=-0',
    'a=1.0',
    'a=1.',
    'a=@1',
    'a="é"',
    'a="\\x"',
    'a=?2',
    'a=1;B=1',
    'a=((1))',
    `a="${'x'.repeat(9_000)}"`,
  )
  wrong.push(
    'a=1\n',
    `a=(${'1 '.repeat(100)})`,
    Array.from({ length: 100 }, (_, i) => `k${i}`).join(','),
    'a=1234567890123456',
  )
  for (const text of wrong) assert.throws(() => parseDictionary(text), Malformed, text.slice(0, 40))
})

interface Calls {
  request: {
    method: string
    url: string
    headers: [string, string][]
    body: string
    origins: string[]
    nowSeconds: number
  }
}

test('a signed request with any byte of its headers changed is refused, and never breaks the node', async () => {
  const { request } = await vectors<Calls>('call')
  const body = new TextEncoder().encode(request.body)
  const verdict = async (headers: [string, string][]) => {
    const check = await verifyRequest({ ...request, headers: new Headers(headers), body }, request)
    return check.status
  }
  assert.equal(await verdict(request.headers), 'valid', 'the control')
  const change = fc.record({
    header: fc.nat(request.headers.length - 1),
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    by: fc.constantFrom('', '"', ',', ';', '(', ')', ' ', ':', '=', 'A', '0', 'oc', '\\', '@', 'z'),
    cut: fc.integer({ min: 0, max: 3 }),
  })
  await fc.assert(
    fc.asyncProperty(change, async ({ header, at, by, cut }) => {
      const headers = request.headers.map(([name, text], i): [string, string] => {
        const from = Math.floor(at * text.length)
        return i === header ? [name, text.slice(0, from) + by + text.slice(from + cut)] : [name, text]
      })
      const changed = headers[header]![1] !== request.headers[header]![1]
      const status = await verdict(headers)
      // Spaces between parts are not signed: the list is signed as it is written canonically.
      if (changed && status === 'valid') assert.match(headers[header]![1], / {2,}|\( | \)|; | $|^ /)
      if (!changed) assert.equal(status, 'valid')
    }),
    { numRuns: 400 * SCALE },
  )
})
