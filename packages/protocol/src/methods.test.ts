import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod'
import { recordTopic, recordWord, RECORD_TOPICS, transferCode, transferWord, TRANSFER_CODES } from './codes.ts'
import { newId } from './id.ts'
import { METERS } from './meters.ts'
import { method, pathOf, readInput, readOutput, readQuery, writeInput, writeOutput } from './method.ts'
import { allMethods, findMethod, hasService, methods } from './methods/index.ts'
import { openApi } from './openapi.ts'
import { SCALE } from './testing/vectors.ts'
import { bigCount, micros } from './wire.ts'

test('every method is declared whole: a sentence, an example that it takes itself, and nothing unknown', () => {
  for (const declared of allMethods) {
    const path = pathOf(declared)
    assert.match(path, /^\/oc\/[a-z]+\/[a-z]+(?:[A-Z][a-z]+)*$/)
    assert.match(declared.summary, /^[A-Z].*\.$/, path)
    const read = readInput(declared, declared.example)
    assert.ok(read.ok, path)
    assert.deepEqual(writeInput(declared, read.value), declared.example, path)
    assert.equal(readInput(declared, { ...(declared.example as object), surprise: 1 }).ok, false, path)
    assert.equal(findMethod(declared.service, declared.name), declared)
    assert.ok(declared.policy !== 'anyone' || declared.safe, `${path} changes something, so it wants to know who calls`)
  }
  assert.equal(new Set(allMethods.map(pathOf)).size, allMethods.length)
  assert.equal(findMethod('apps', 'constructor'), undefined)
  assert.ok(hasService('funding') && !hasService('toString'))
})

test('a safe method can be asked by a link: each of its inputs is a string', () => {
  for (const declared of allMethods.filter(({ safe }) => safe)) {
    const query = Object.fromEntries(new URLSearchParams(declared.example as Record<string, string>))
    assert.deepEqual(readInput(declared, query), readInput(declared, declared.example))
    assert.deepEqual(readQuery(declared, new URLSearchParams(query)), readInput(declared, declared.example))
  }
  assert.equal(readQuery(methods.apps.get, new URLSearchParams('app=a&app=b')).ok, false)
  assert.equal(readQuery(methods.apps.get, new URLSearchParams('app=a&__proto__=b')).ok, false)
})

test('an input that is not what its declaration says is refused with the place and the reason', () => {
  const { deploy, get, logs } = methods.apps
  const { contribute } = methods.funding
  const pay = { id: newId(), app: 'hello--octo', amount: '5000000' }
  assert.ok(readInput(contribute, pay).ok)
  const wrong: [Parameters<typeof readInput>[0], unknown, RegExp][] = [
    [deploy, { url: `https://a.example/${'x'.repeat(2048)}` }, /at most 2048/],
    [deploy, { url: 'https://a.example/x y' }, /no spaces/],
    [deploy, { url: 'https://a.example/x\u0000' }, /no spaces or control/],
    [deploy, {}, /at url/],
    [deploy, { url: 'https://a.example/x', ref: '--upload-pack=sh' }, /not the name of a branch/],
    [deploy, { url: 'https://a.example/x', ref: 'a..b' }, /not the name of a branch/],
    [get, { app: '../etc' }, /named by its slug/],
    [get, { app: 'Hello' }, /named by its slug/],
    [get, { app: 'x'.repeat(64) }, /named by its slug/],
    [get, null, /expected object/],
    [logs, { app: 'hello', after: '-1' }, /at after/],
    [logs, { app: 'hello', limit: '1000' }, /limit is 1 to 999/],
    [contribute, { ...pay, amount: '0' }, /positive micros/],
    [contribute, { ...pay, amount: '-5' }, /positive micros/],
    [contribute, { ...pay, amount: '5.00' }, /positive micros/],
    [contribute, { ...pay, amount: 5_000_000 }, /at amount/],
    [contribute, { ...pay, amount: '9000000000000001' }, /more than a ledger holds/],
    [contribute, { ...pay, id: 'x' }, /lower-case UUID/],
    [contribute, { ...pay, name: 'a\nb' }, /one line/],
    [contribute, { ...pay, name: 'abc\u202edef' }, /one line/],
    [contribute, { ...pay, name: 'x'.repeat(81) }, /at most 80/],
  ]
  for (const [declared, input, reason] of wrong) {
    const read = readInput(declared, input)
    assert.ok(!read.ok, JSON.stringify(input).slice(0, 80))
    assert.match(read.problem, reason)
  }
})

test('no input makes a reader do anything but answer or refuse', () => {
  const hostile = fc.oneof(
    fc.anything(),
    fc.record(
      { app: fc.anything(), amount: fc.anything(), id: fc.anything(), url: fc.string({ unit: 'binary' }) },
      { requiredKeys: [] },
    ),
    fc.json().map((text): unknown => JSON.parse(text)),
  )
  fc.assert(
    fc.property(hostile, (input) => {
      for (const declared of allMethods) assert.equal(typeof readInput(declared, input).ok, 'boolean')
    }),
    { numRuns: 100 * SCALE },
  )
})

const sample = method({
  service: 'sample',
  name: 'one',
  summary: 'A sample.',
  input: z.strictObject({}),
  output: z.object({ paid: micros, seq: bigCount.nullable() }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: {},
})

test('an answer travels as strings that lose no digit, and unknown members are dropped', () => {
  const output = { paid: 9_000_000_000_000_000n, seq: null }
  assert.deepEqual(writeOutput(sample, output), { paid: '9000000000000000', seq: null })
  assert.deepEqual(readOutput(sample, { paid: '9000000000000000', seq: null, later: true }), {
    ok: true,
    value: output,
  })
  assert.equal(readOutput(sample, { paid: 5 }).ok, false)
  assert.throws(() => writeOutput(sample, { paid: 9_000_000_000_000_001n, seq: null }))
})

test('the OpenAPI page lists every method with the strings that travel', () => {
  const page = openApi(allMethods, { origin: 'http://127.0.0.1:8080', version: '0.1.0' })
  const paths = page['paths'] as Record<string, { get?: { parameters: { name: string }[] }; post: unknown }>
  assert.deepEqual(Object.keys(paths), allMethods.map(pathOf))
  assert.equal(paths['/oc/apps/deploy']!.get, undefined)
  assert.deepEqual(
    paths['/oc/funding/quote']!.get!.parameters.map(({ name }) => name),
    ['app', 'amount'],
  )
  assert.doesNotMatch(JSON.stringify(page), /bigint|"\$schema"/)
})

test('each number on the ledger has one word and each word one number', () => {
  for (const [word, code] of Object.entries(TRANSFER_CODES)) {
    assert.equal(transferWord(code), word)
    assert.equal(transferCode(word as keyof typeof TRANSFER_CODES), code)
  }
  for (const [word, topic] of Object.entries(RECORD_TOPICS)) {
    assert.equal(recordWord(topic), word)
    assert.equal(recordTopic(word as keyof typeof RECORD_TOPICS), topic)
  }
  assert.ok(METERS.every((meter) => `charge-${meter}` in TRANSFER_CODES))
  assert.throws(() => transferWord(0), /no transfer code 0/)
})
