import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { FakeClock } from '../clock.ts'
import {
  get,
  openTestDoor,
  openTestRegistry,
  orchard,
  orchardDocument,
  sha512,
  tarball,
  type DoorOptions,
} from './testing/door.ts'

const doorTo = (npm: { url: string }, options: DoorOptions = {}) => openTestDoor({ npm, ...options })
test('a document leads to the door alone, and its tarball is asked of the registry once', async () => {
  await using registry = await openTestRegistry(orchard())
  await using door = await doorTo(registry)
  const found = JSON.parse((await get(door, '/pear')).body)
  assert.equal(found.versions['1.0.0'].dist.tarball, `${door.origin}/pear/-/pear-1.0.0.tgz`)
  const many = await Promise.all(Array.from({ length: 5 }, () => get(door, '/pear/-/pear-1.0.0.tgz')))
  for (const { status, body } of many) assert.deepEqual([status, body], [200, tarball.toString()])
  assert.equal((await get(door, '/pear/-/pear-1.0.0.tgz')).status, 200)
  assert.deepEqual(registry.requests, ['/pear', '/pear/-/pear-1.0.0.tgz'])
})

test('a tarball that is not what its document promised is never handed out or kept', async () => {
  await using registry = await openTestRegistry(orchard(Buffer.from('something else')))
  await using door = await doorTo(registry)
  const { status, body } = await get(door, '/pear/-/pear-1.0.0.tgz')
  assert.equal(status, 422)
  assert.match(body, /pear-1\.0\.0\.tgz is not what its registry promised/)
  assert.deepEqual(door.stored('files'), [])
  assert.deepEqual(door.stored('incoming'), [])
  await using honest = await openTestRegistry(
    orchard(Buffer.from('something else'), { integrity: sha512(Buffer.from('something else')) }),
  )
  await using control = await doorTo(honest)
  assert.equal((await get(control, '/pear/-/pear-1.0.0.tgz')).body, 'something else')
})

test('old packages are verified by sha1; a version without any digest is left out', async () => {
  const shasum = createHash('sha1').update(tarball).digest('hex')
  await using old = await openTestRegistry(orchard(tarball, { integrity: undefined, shasum }))
  await using door = await doorTo(old)
  assert.equal((await get(door, '/pear/-/pear-1.0.0.tgz')).status, 200)
  await using bare = await openTestRegistry(orchard(tarball, { integrity: 'md5-abc' }))
  await using strict = await doorTo(bare)
  assert.deepEqual(JSON.parse((await get(strict, '/pear')).body).versions, {})
  assert.equal((await get(strict, '/pear/-/pear-1.0.0.tgz')).status, 404)
})

test('while the registry is away, what was fetched before is served, old documents too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perennial-packages-'))
  const clock = new FakeClock()
  await using registry = await openTestRegistry(orchard())
  {
    await using door = await doorTo(registry, { folder, clock })
    await get(door, '/pear')
    await get(door, '/pear/-/pear-1.0.0.tgz')
  }
  await registry.close()
  await clock.advance(24 * 3_600_000)
  await using door = await doorTo(registry, { folder, clock })
  assert.equal((await get(door, '/pear')).status, 200)
  assert.equal((await get(door, '/pear/-/pear-1.0.0.tgz')).body, tarball.toString())
  const other = await get(door, '/plum')
  assert.equal(other.status, 502)
  assert.match(other.body, /did not answer/)
  rmSync(folder, { recursive: true })
})

test('a document is asked for again after some minutes, not before', async () => {
  const clock = new FakeClock()
  await using registry = await openTestRegistry(orchard())
  await using door = await doorTo(registry, { clock })
  await get(door, '/pear')
  await clock.advance(60_000)
  await get(door, '/pear')
  assert.equal(registry.requests.length, 1)
  await clock.advance(600_000)
  await get(door, '/pear')
  assert.equal(registry.requests.length, 2)
})

test('a registry that redirects inside is not followed; to a public address it would be', async () => {
  await using secret = await openTestRegistry((_req, res) => res.end('secret'))
  await using registry = await openTestRegistry((_req, res) =>
    res.writeHead(302, { location: `${secret.origin}/pear` }).end(),
  )
  await using door = await doorTo(registry)
  assert.equal((await get(door, '/pear')).status, 502)
  await using named = await openTestRegistry((_req, res) =>
    res.writeHead(302, { location: `https://inside.example/pear` }).end(),
  )
  await using second = await doorTo(named, { resolve: async () => ['127.0.0.1'] })
  assert.match((await get(second, '/pear')).body, /inside\.example leads to 127\.0\.0\.1/)
  assert.equal(secret.requests.length, 0)
  await using near = await openTestRegistry((req, res) =>
    req.url === '/pear' ? res.writeHead(302, { location: '/moved' }).end() : res.end(orchardDocument(near.origin)),
  )
  await using control = await doorTo(near)
  assert.equal((await get(control, '/pear')).status, 200)
})

test('a tarball named on another host is still asked of the registry alone', async () => {
  await using elsewhere = await openTestRegistry((_req, res) => res.end(tarball))
  await using registry = await openTestRegistry(
    orchard(tarball, { tarball: `${elsewhere.origin}/pear/-/pear-1.0.0.tgz` }),
  )
  await using door = await doorTo(registry)
  assert.equal((await get(door, '/pear/-/pear-1.0.0.tgz')).status, 200)
  assert.equal(elsewhere.requests.length, 0)
})

test('a tarball whose path looks like another host is asked of the registry alone', async () => {
  const looked: string[] = []
  const resolve = async (host: string) => {
    looked.push(host)
    return []
  }
  await using registry = await openTestRegistry((req, res) =>
    req.url?.startsWith('/pear')
      ? orchard(tarball, { tarball: 'http://elsewhere.example//other.example/pear/-/pear-1.0.0.tgz' })(req, res)
      : res.end(tarball),
  )
  await using door = await doorTo(registry, { resolve })
  assert.equal((await get(door, '/pear/-/pear-1.0.0.tgz')).status, 200)
  assert.deepEqual(registry.requests, ['/pear/1.0.0', '//other.example/pear/-/pear-1.0.0.tgz'])
  assert.deepEqual(looked, [])
})

test('an endless document, a wrong name and broken JSON are answered with an error, and the door lives on', async () => {
  let kind = 'endless'
  await using registry = await openTestRegistry((req, res) => {
    if (kind === 'endless') {
      const more = () => void (!res.destroyed && res.write(Buffer.alloc(2 ** 20, 32), () => setImmediate(more)))
      return more()
    }
    if (kind === 'name') return void res.end(orchardDocument('x').replace('"pear"', '"plum"'))
    if (kind === 'broken') return void res.end('{"name":"pear","versions":')
    orchard()(req, res)
  })
  await using door = await doorTo(registry)
  assert.match((await get(door, '/pear')).body, /more than 64 MiB/)
  kind = 'name'
  assert.match((await get(door, '/pear')).body, /not about pear/)
  kind = 'broken'
  assert.match((await get(door, '/pear')).body, /not JSON/)
  kind = 'right'
  assert.equal((await get(door, '/pear')).status, 200)
})

test('paths that are not a package or its tarball never reach the registry', async () => {
  await using registry = await openTestRegistry(orchard())
  await using door = await doorTo(registry)
  for (const path of [
    '/',
    '/../etc/passwd',
    '/..%2f..%2fetc%2fpasswd',
    '/pear/../../x',
    '/pear/-/../../x.tgz',
    '/pear/-/..%2fx.tgz',
    '/.hidden',
    '/-/all',
    '/-/v1/search?text=a',
    '/pear?write=true',
    '/pear/-/pear-1.0.0.tgz?x',
    '/@a',
    '/@a/',
    '/@a%252fb',
    '/@a%2fb%2fc',
    '/pear%0d%0ax:y',
    '/pear%00',
    '/pear/1.0.0/x',
    '/pear/-rf',
    '/pear/1%2f..%2f2',
    '/pear/-/pear.zip',
    `/${'a'.repeat(300)}`,
    'http://example.org/pear',
    '//example.org/pear',
    '/pear#x',
    '/ünï',
  ]) {
    const status = await get(door, path).then(
      (res) => res.status,
      () => 400,
    ) // Node itself refuses to send some.
    assert.ok([400, 403, 404].includes(status), `${path}: ${status}`)
  }
  assert.equal((await get(door, '/pear', { method: 'POST' })).status, 405)
  assert.equal((await get(door, '/pear', { method: 'PUT' })).status, 405)
  assert.deepEqual(registry.requests, [])
})

test('a build that wants the whole registry gets as much as its limit', async () => {
  const large = Buffer.alloc(300_000, 7)
  await using registry = await openTestRegistry(orchard(large, { integrity: sha512(large) }))
  await using door = await doorTo(registry, { bytes: 500_000 })
  assert.equal((await get(door, '/pear/-/pear-1.0.0.tgz')).status, 200)
  await assert.rejects(get(door, '/pear/-/pear-1.0.0.tgz'))
  assert.equal(door.traffic.of('127.0.0.1').refusal?.refusal, 'client-error/too-large')
  assert.equal((await get(door, '/pear')).status, 429)
})
