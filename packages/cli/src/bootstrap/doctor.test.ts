import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import test from 'node:test'
import { missingPackages } from './debian.ts'
import { examine, isReady, mendable } from './doctor.ts'
import { neededPackages } from './needs.ts'

const data = '/var/lib/perennial-doctor-test'

test('every package that is needed says what for, once', async () => {
  const needed = await neededPackages()
  const names = needed.map(({ name }) => name)
  for (const name of ['crun', 'haproxy', 'postgresql']) assert.ok(names.includes(name), name)
  assert.equal(new Set(names).size, names.length)
  for (const { name, why } of needed) assert.ok(why.length > 10, name)
})

test('a package that is not there is missing, one that is there is not', async () => {
  const packages = [
    { name: 'dpkg', why: 'is always there' },
    { name: 'perennial-no-such-package', why: 'is never there' },
  ]
  assert.deepEqual(await missingPackages(packages), packages.slice(1))
})

test('a machine that runs these tests is ready for a node', async () => {
  const findings = await examine({ data, host: '127.0.0.1', port: 1 })
  assert.ok(isReady(findings), JSON.stringify(findings, null, 2))
  assert.deepEqual(mendable(findings), [])
})

test('a missing package can be mended, and is named with its reason', async () => {
  const extra = [{ name: 'perennial-no-such-package', why: 'is never there' }]
  const findings = await examine({ data, host: '127.0.0.1', port: 1 }, extra)
  const [found] = mendable(findings)
  assert.equal(found?.name, 'package perennial-no-such-package')
  assert.equal(found?.sentence, 'is never there')
  assert.equal(isReady(findings), false)
})

test('a port that a stranger has is said to be taken', async () => {
  const stranger = createServer((socket) => socket.on('error', () => undefined).end('hello\n')).listen(0, '127.0.0.1')
  await once(stranger, 'listening')
  const { port } = stranger.address() as AddressInfo
  const findings = await examine({ data, host: '127.0.0.1', port })
  stranger.close()
  const found = findings.find(({ name }) => name === 'port')
  assert.equal(found?.state, 'lacks')
  assert.match(found.sentence, new RegExp(`something else listens at 127\\.0\\.0\\.1:${port}`))
})
