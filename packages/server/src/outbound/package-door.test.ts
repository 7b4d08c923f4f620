import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http, { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { promisify } from 'node:util'
import { FakeClock, systemClock, type Clock } from '../clock.ts'
import { openDiagnostics } from '../diagnostics.ts'
import { check, type Resolve } from './check.ts'
import { openPackageDoor } from './package-door.ts'
import { openPackages } from './packages.ts'
import { npmSettings, openRegistry, type RegistrySettings } from './registry.ts'
import { TrafficTable } from './traffic.ts'

const quiet = openDiagnostics({ level: 'error', write: () => {} })

async function doorTo(
  registry: RegistrySettings,
  options: { folder?: string; clock?: Clock; resolve?: Resolve; bytes?: number } = {},
) {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'perennial-packages-'))
  const rules = { resolve: options.resolve ?? (async () => []), developmentRemotes: [] }
  const upstream = openRegistry(registry, (destination) => check(destination, rules))
  const packages = await openPackages({
    folder,
    registry: upstream,
    clock: options.clock ?? systemClock,
    maxBytes: 2 ** 30,
  })
  const traffic = new TrafficTable({ bytes: options.bytes ?? 2 ** 30, connections: 64, connectionMs: 60_000 })
  const door = await openPackageDoor({
    listen: { address: '127.0.0.1', peers: '127.0.0.0/8' },
    traffic,
    packages,
    diagnostics: quiet,
  })
  return {
    ...door,
    folder,
    traffic,
    tarballsOnDisk: () => readdirSync(join(folder, 'tarballs')),
    async [Symbol.asyncDispose]() {
      await door.close()
      upstream.close()
      if (options.folder === undefined) rmSync(folder, { recursive: true })
    },
  }
}

/** A registry of our own, as true or as false as `answer` makes it. */
async function registryOf(answer: (req: IncomingMessage, res: ServerResponse) => void) {
  const requests: string[] = []
  const server = createServer((req, res) => {
    requests.push(req.url ?? '')
    answer(req, res)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return {
    url: origin,
    origin,
    requests,
    close,
    [Symbol.asyncDispose]: () => (server.listening ? close() : Promise.resolve()),
  }
}

const tarball = Buffer.from('not really a tarball, but the door does not look inside')
const sha512 = (bytes: Buffer) => `sha512-${createHash('sha512').update(bytes).digest('base64')}`
const document = (origin: string, dist: object = {}) =>
  JSON.stringify({
    name: 'pear',
    'dist-tags': { latest: '1.0.0' },
    versions: {
      '1.0.0': {
        name: 'pear',
        version: '1.0.0',
        dist: { tarball: `${origin}/pear/-/pear-1.0.0.tgz`, integrity: sha512(tarball), ...dist },
      },
    },
  })

/** Serves `pear`, with `served` as its tarball. */
const orchard = (served: Buffer = tarball, dist: object = {}) => {
  return (req: IncomingMessage, res: ServerResponse) => {
    if (req.url === '/pear') res.end(document(`http://${req.headers.host}`, dist))
    else if (req.url === '/pear/-/pear-1.0.0.tgz') res.end(served)
    else res.writeHead(404).end('{}')
  }
}

/** The exact path, as `fetch` would not send it. */
function get(door: { port: number }, path: string, method = 'GET'): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const req = http.request({ host: '127.0.0.1', port: door.port, path, method, agent: false }, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      res.on('error', reject)
    })
    req.on('error', reject)
    req.end()
  })
}

test('npm installs through the door from the registry that this machine uses, with nothing but the door', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perennial-npm-'))
  await using door = await doorTo(await npmSettings())
  const npm = (...argv: string[]) =>
    promisify(execFile)(
      'npm',
      [
        ...argv,
        '--registry',
        door.origin,
        '--replace-registry-host=always',
        '--cache',
        join(folder, 'cache'),
        '--no-audit',
      ],
      {
        cwd: folder,
        // Any other way out would be this dead proxy.
        env: {
          PATH: process.env['PATH'],
          HOME: folder,
          npm_config_https_proxy: 'http://127.0.0.1:9',
          no_proxy: '127.0.0.1',
          npm_config_fetch_retries: '0',
        },
      },
    )
  try {
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'a', dependencies: { 'is-number': '7.0.0', '@sindresorhus/is': '7.0.1' } }),
    )
    await npm('install', '--ignore-scripts')
    assert.equal(JSON.parse(readFileSync(join(folder, 'node_modules/is-number/package.json'), 'utf8')).version, '7.0.0')
    assert.equal(door.tarballsOnDisk().length, 2)
    // A lockfile that names another registry is asked here all the same.
    const lock = join(folder, 'package-lock.json')
    writeFileSync(lock, readFileSync(lock, 'utf8').replaceAll(door.origin, 'https://packages.example'))
    rmSync(join(folder, 'cache'), { recursive: true })
    await npm('ci', '--ignore-scripts')
    assert.equal(
      JSON.parse(readFileSync(join(folder, 'node_modules/@sindresorhus/is/package.json'), 'utf8')).version,
      '7.0.1',
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a document leads to the door alone, and its tarball is asked of the registry once', async () => {
  await using registry = await registryOf(orchard())
  await using door = await doorTo(registry)
  const found = JSON.parse((await get(door, '/pear')).body)
  assert.equal(found.versions['1.0.0'].dist.tarball, `${door.origin}/pear/-/pear-1.0.0.tgz`)
  const many = await Promise.all(Array.from({ length: 5 }, () => get(door, '/pear/-/pear-1.0.0.tgz')))
  for (const { status, body } of many) assert.deepEqual([status, body], [200, tarball.toString()])
  assert.equal((await get(door, '/pear/-/pear-1.0.0.tgz')).status, 200)
  assert.deepEqual(registry.requests, ['/pear', '/pear/-/pear-1.0.0.tgz'])
})

test('a tarball that is not what its document promised is never handed out or kept', async () => {
  await using registry = await registryOf(orchard(Buffer.from('something else')))
  await using door = await doorTo(registry)
  const { status, body } = await get(door, '/pear/-/pear-1.0.0.tgz')
  assert.equal(status, 422)
  assert.match(body, /pear-1\.0\.0\.tgz is not what its package document promised/)
  assert.deepEqual(door.tarballsOnDisk(), [])
  assert.deepEqual(readdirSync(join(door.folder, 'incoming')), [])
  await using honest = await registryOf(
    orchard(Buffer.from('something else'), { integrity: sha512(Buffer.from('something else')) }),
  )
  await using control = await doorTo(honest)
  assert.equal((await get(control, '/pear/-/pear-1.0.0.tgz')).body, 'something else')
})

test('old packages are verified by sha1; a version without any digest is left out', async () => {
  const shasum = createHash('sha1').update(tarball).digest('hex')
  await using old = await registryOf(orchard(tarball, { integrity: undefined, shasum }))
  await using door = await doorTo(old)
  assert.equal((await get(door, '/pear/-/pear-1.0.0.tgz')).status, 200)
  await using bare = await registryOf(orchard(tarball, { integrity: 'md5-abc' }))
  await using strict = await doorTo(bare)
  assert.deepEqual(JSON.parse((await get(strict, '/pear')).body).versions, {})
  assert.equal((await get(strict, '/pear/-/pear-1.0.0.tgz')).status, 404)
})

test('while the registry is away, what was fetched before is served, old documents too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perennial-packages-'))
  const clock = new FakeClock()
  await using registry = await registryOf(orchard())
  {
    await using door = await doorTo(registry, { folder, clock })
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
  await using registry = await registryOf(orchard())
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
  await using secret = await registryOf((_req, res) => res.end('secret'))
  await using registry = await registryOf((_req, res) =>
    res.writeHead(302, { location: `${secret.origin}/pear` }).end(),
  )
  await using door = await doorTo(registry)
  assert.equal((await get(door, '/pear')).status, 502)
  await using named = await registryOf((_req, res) =>
    res.writeHead(302, { location: `https://inside.example/pear` }).end(),
  )
  await using second = await doorTo(named, { resolve: async () => ['127.0.0.1'] })
  assert.match((await get(second, '/pear')).body, /inside\.example leads to 127\.0\.0\.1/)
  assert.equal(secret.requests.length, 0)
  await using near = await registryOf((req, res) =>
    req.url === '/pear' ? res.writeHead(302, { location: '/moved' }).end() : res.end(document(near.origin)),
  )
  await using control = await doorTo(near)
  assert.equal((await get(control, '/pear')).status, 200)
})

test('a tarball named on another host is still asked of the registry alone', async () => {
  await using elsewhere = await registryOf((_req, res) => res.end(tarball))
  await using registry = await registryOf(orchard(tarball, { tarball: `${elsewhere.origin}/pear/-/pear-1.0.0.tgz` }))
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
  await using registry = await registryOf((req, res) =>
    req.url === '/pear' ? res.end(document('http://elsewhere.example//other.example')) : res.end(tarball),
  )
  await using door = await doorTo(registry, { resolve })
  assert.equal((await get(door, '/pear/-/pear-1.0.0.tgz')).status, 200)
  assert.deepEqual(registry.requests, ['/pear', '//other.example/pear/-/pear-1.0.0.tgz'])
  assert.deepEqual(looked, [])
})

test('an endless document, a wrong name and broken JSON are answered with an error, and the door lives on', async () => {
  let kind = 'endless'
  await using registry = await registryOf((req, res) => {
    if (kind === 'endless') {
      const more = () => void (!res.destroyed && res.write(Buffer.alloc(2 ** 20, 32), () => setImmediate(more)))
      return more()
    }
    if (kind === 'name') return void res.end(document('x').replace('"pear"', '"plum"'))
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
  await using registry = await registryOf(orchard())
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
    '/pear/1.0.0',
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
    assert.ok(status === 404 || status === 400, `${path}: ${status}`)
  }
  assert.equal((await get(door, '/pear', 'POST')).status, 405)
  assert.equal((await get(door, '/pear', 'PUT')).status, 405)
  assert.deepEqual(registry.requests, [])
})

test('a build that wants the whole registry gets as much as its limit', async () => {
  const large = Buffer.alloc(300_000, 7)
  await using registry = await registryOf(orchard(large, { integrity: sha512(large) }))
  await using door = await doorTo(registry, { bytes: 500_000 })
  assert.equal((await get(door, '/pear/-/pear-1.0.0.tgz')).status, 200)
  await assert.rejects(get(door, '/pear/-/pear-1.0.0.tgz'))
  assert.equal(door.traffic.of('127.0.0.1').refusal?.refusal, 'client-error/too-large')
  assert.equal((await get(door, '/pear')).status, 429)
})
