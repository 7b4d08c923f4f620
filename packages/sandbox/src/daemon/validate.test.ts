import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { spec } from '../testing.ts'
import { Refusal } from './refuse.ts'
import { inputOf, isVerb } from './validate.ts'

const good = spec({
  id: 'a',
  argv: ['true'],
  release: 'f'.repeat(64),
  network: { doors: [{ address: '10.77.0.1', port: 1 }] },
})

function refused(change: object): string {
  try {
    inputOf('start', { ...good, ...change })
  } catch (error) {
    assert.ok(error instanceof Refusal)
    assert.equal(error.code, 'invalid')
    return error.message
  }
  return 'accepted'
}

test('a proper spec passes unchanged', () => {
  assert.deepEqual(inputOf('start', structuredClone(good)), good)
})

test('what could lead out of the sandbox is refused, and the message names the field', () => {
  const bad: { [field: string]: unknown[] } = {
    id: ['', '..', 'a/b', 'A', 'a b', '-a', 'x'.repeat(49), 7, null, 'a\n'],
    image: ['../node-24', 'node-25', '', '__proto__', 'toString'],
    release: ['F'.repeat(64), 'f'.repeat(63), '../'.padEnd(64, 'f'), ''],
    scratch: ['/etc', '..', ''],
    cwd: ['app', '', '/a\0b', 5],
    user: ['nobody', 0],
    argv: [[], ['a\0'], 'true', [1], Array.from({ length: 257 }, () => 'x'), ['x'.repeat(32_769)]],
    env: [{ 'A=B': 'x' }, { '': 'x' }, { A: 'x\0' }, { A: 1 }, [], null, { 'A\n': 'x' }],
    writableBytes: [0, -1, 1.5, 2 ** 53, '1000000', NaN, Infinity],
    limits: [{}, { memoryBytes: 1, pids: 10, cpuPercent: 10 }, { ...good.limits, extra: 1 }, null],
    network: [
      'host',
      'doors',
      { doors: 'all' },
      { doors: [{ address: '10.77.0.1', port: 0 }] },
      { doors: [], host: 1 },
    ],
    extra: [1],
    constructor: [1],
  }
  for (const [field, values] of Object.entries(bad))
    for (const value of values)
      assert.match(refused({ [field]: value }), new RegExp(`start\\.${field}`), `${field}: ${JSON.stringify(value)}`)
  assert.match(refused({ scratch: 'b' }), /not both/)
  assert.match(refused({ env: Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`V${i}`, 'x'.repeat(32_000)])) }), /bytes/)
})

test('mounts lie below /data, /run and /app, and nowhere else', () => {
  const mount = (at: unknown, more: object = {}) => ({ owner: 'a', mounts: [{ kind: 'volume', id: 'v', at, ...more }] })
  for (const at of ['/data', '/data/x', '/data/x/y z', '/run/postgresql', '/app/data', '/app/a/.b', '/data/...'])
    assert.equal(refused(mount(at)), 'accepted', at)
  const bad = [
    '/',
    '',
    'data',
    '/data/',
    '/app',
    '/run',
    '/etc',
    '/usr/x',
    '/tmp',
    '/tmp/x',
    '/proc/x',
    '/dev/shm',
    '/datax',
  ]
  for (const at of [
    ...bad,
    '/data/../etc',
    '/app/./x',
    '/app//x',
    '/data/x/',
    '/data/\0',
    '/data/..',
    5,
    null,
    `/data/${'x'.repeat(256)}`,
  ])
    assert.match(refused(mount(at)), /start\.mounts\[0\]\.at/, String(at))
  for (const more of [
    { kind: 'bind' },
    { id: '../x' },
    { id: 'A' },
    { source: '/' },
    { readOnly: 'yes' },
    { kind: '__proto__' },
  ])
    assert.match(refused(mount('/data', more)), /start\.mounts\[0\]/, JSON.stringify(more))
  const share = { kind: 'share', id: 's', at: '/run/s' }
  assert.match(refused({ mounts: [{ ...share, readOnly: true }] }), /readOnly/)
  assert.match(refused({ mounts: [{ kind: 'volume', id: 'v', at: '/data' }] }), /owner/)
  assert.match(refused({ mounts: Array.from({ length: 9 }, (_, i) => ({ ...share, at: `/run/${i}` })) }), /at most 8/)
  for (const at of ['/run/s', '/run/s/x'])
    assert.match(refused({ mounts: [share, { ...share, at }] }), /at no other mount, nor below/, at)
  assert.equal(refused({ mounts: [share, { ...share, at: '/run/s2' }] }), 'accepted')
})

test('inherited names are not verbs', () => {
  for (const word of ['constructor', 'toString', '__proto__', '', 'Start', 7, null, undefined])
    assert.equal(isVerb(word), false)
})

test('anything at all is either read or refused', () => {
  const verbs = [
    'start',
    'stop',
    'scratch',
    'pack',
    'image',
    'wait',
    'limit',
    'removeRelease',
    'list',
    'volume',
    'copyVolume',
    'keepArchive',
  ] as const
  const field = fc.oneof(fc.anything(), fc.constantFrom(...Object.values(good)), fc.string())
  const input = fc.oneof(
    fc.anything(),
    fc.dictionary(
      fc.constantFrom(...Object.keys(good), 'path', 'graceMs', 'name', 'mounts', 'owner', 'base', '__proto__'),
      field,
    ),
  )
  const property = fc.property(fc.constantFrom(...verbs), input, (verb, value) => {
    try {
      inputOf(verb, value)
    } catch (error) {
      assert.ok(error instanceof Refusal, String(error))
    }
  })
  fc.assert(property, { numRuns: 2000 * Number(process.env['TEST_SCALE'] ?? 1) })
})

test('a path to pack stays below the disk, whatever it is made of', () => {
  const part = fc.oneof(fc.constantFrom('..', '.', '', '/', 'a', '...', '\0', '~', '-rf'), fc.string({ maxLength: 8 }))
  const property = fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
    const path = parts.join('/')
    try {
      inputOf('pack', { scratch: 'a', path })
    } catch {
      return
    }
    assert.ok(path.split('/').every((each) => each !== '' && each !== '.' && each !== '..' && !each.includes('\0')))
  })
  fc.assert(property, { numRuns: 2000 * Number(process.env['TEST_SCALE'] ?? 1) })
})
