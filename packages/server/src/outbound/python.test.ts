/** pip, in the image that builds have, installs through the door from an index that the test serves. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { gzipSync } from 'node:zlib'
import { openTestSandbox, runToEnd } from '@perennial/sandbox/testing'
import { packageEnvironment } from './packages/environment.ts'
import { imageIndex } from './packages/image-index.ts'
import { get, openTestDoor, openTestRegistry } from './testing/door.ts'
import { openTestIndex, sha256Hex, wheel, type IndexOptions } from './testing/wheel.ts'

const MIB = 2 ** 20
const sandbox = await openTestSandbox()
test.after(() => sandbox[Symbol.asyncDispose]())
const { doorAddress, subnet } = await sandbox.client.probe()
let made = 0

/** A door that sandboxes reach, to an index of these wheels. */
async function doorTo(wheels: Parameters<typeof openTestIndex>[0], options: IndexOptions) {
  const index = await openTestIndex(wheels, options)
  const door = await openTestDoor({ python: index, listen: { address: doorAddress, peers: subnet } })
  async function python(...argv: string[]) {
    return await runToEnd(sandbox.client, {
      id: `pip-${++made}`,
      image: 'build-python',
      writableBytes: 64 * MIB,
      argv: ['sh', '-c', argv.join(' ')],
      env: { PATH: '/usr/bin:/bin', HOME: '/tmp', ...packageEnvironment({ origin: door.origin, caches: '/tmp' }) },
      cwd: '/app',
      user: 'app',
      limits: { memoryBytes: 512 * MIB, pids: 64, cpuPercent: 100 },
      network: { doors: [{ address: door.address, port: door.port }] },
    })
  }
  return {
    ...door,
    python,
    requests: index.requests,
    async [Symbol.asyncDispose]() {
      await door[Symbol.asyncDispose]()
      await index[Symbol.asyncDispose]()
    },
  }
}

const pear = wheel('pear', '1.0', { requires: ['plum_jam>=1'] })
const jam = wheel('plum_jam', '2.0')
const INSTALL = 'python3 -m pip install --quiet --target lib'

for (const form of ['html', 'json'] as const)
  test(`pip installs a package and what it needs, from an index that answers in ${form.toUpperCase()}`, async () => {
    await using door = await doorTo([pear, jam], { form })
    const { exit, out } = await door.python(
      `${INSTALL} Pear && PYTHONPATH=lib python3 -c "import pear, plum_jam; print(pear.name, plum_jam.name)"`,
    )
    assert.equal(exit.code, 0, out)
    assert.match(out, /pear 1\.0 plum_jam 2\.0/)
    // Another build gets the same from the node's own disk.
    const before = door.requests.length
    const again = await door.python(`python3 -m pip download --quiet --no-deps pear && sha256sum *.whl`)
    assert.match(again.out, new RegExp(sha256Hex(pear.bytes)))
    assert.equal(door.requests.length, before)
    assert.ok(door.traffic.peek('127.0.0.1') === undefined, 'what was counted was counted for the sandboxes')
  })

test('a file that is not what its index promised is refused, whether pip looks or not', async () => {
  const other = wheel('pear', '6.6')
  await using door = await doorTo([pear, jam], { form: 'html', serve: () => other.bytes })
  const { exit, out } = await door.python(`${INSTALL} --no-deps pear`)
  assert.notEqual(exit.code, 0)
  assert.match(out, /422|not what its registry promised/)
  assert.deepEqual(
    door.stored('files').filter((name) => name.includes(sha256Hex(other.bytes))),
    [],
  )
  await using honest = await doorTo([other], { form: 'html' })
  assert.equal((await honest.python(`${INSTALL} --no-deps pear`)).exit.code, 0)
})

test('a package that unpacks to more than a build has room for fails in its own sandbox', async () => {
  await using door = await doorTo([wheel('bomb', '1.0', { zeros: 256 * MIB })], { form: 'json' })
  const { exit, out } = await door.python(`${INSTALL} bomb`)
  assert.notEqual(exit.code, 0)
  assert.match(out, /No space left on device/)
})

test('an index that packs its page small and unpacks without end is read no further than the limit', async () => {
  const bomb = gzipSync(Buffer.alloc(80 * MIB, 32))
  await using index = await openTestRegistry((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end(bomb)
  })
  await using door = await openTestDoor({ python: index })
  const { status, body } = await get(door, '/-/python/simple/pear/')
  assert.equal(status, 502)
  assert.match(body, /sent more than 64 MiB/)
  assert.deepEqual(door.stored('incoming'), [])
})

test('a page comes in the form that was asked for, and another spelling of its name leads to it', async () => {
  const index = await openTestIndex([jam], { form: 'html' })
  await using door = await openTestDoor({ python: index })
  const as = (accept: string) => get(door, '/-/python/simple/plum-jam/', { headers: { accept } })
  const uv = await as(
    'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01',
  )
  assert.equal(uv.headers['content-type'], 'application/vnd.pypi.simple.v1+json')
  assert.deepEqual(JSON.parse(uv.body), {
    meta: { 'api-version': '1.0' },
    name: 'plum-jam',
    files: [
      {
        filename: 'plum_jam-2.0-py3-none-any.whl',
        url: `${door.origin}/-/python/files/plum-jam/plum_jam-2.0-py3-none-any.whl`,
        hashes: { sha256: sha256Hex(jam.bytes) },
        'requires-python': '>=3.6',
      },
    ],
  })
  const browser = await as('text/html')
  assert.equal(browser.headers['content-type'], 'text/html')
  assert.match(browser.body, /#sha256=[0-9a-f]{64}" data-requires-python="&gt;=3\.6">plum_jam-2\.0-py3-none-any\.whl</)
  const moved = await get(door, '/-/python/simple/Plum_Jam/')
  assert.deepEqual([moved.status, moved.headers.location], [301, `${door.origin}/-/python/simple/plum-jam/`])
  assert.equal((await get(door, '/-/python/simple/none/')).status, 404)
  await index.close()
})

test('a file on another host is fetched from a public address alone', async () => {
  const linked = (href: string) =>
    openTestRegistry((_req, res) => {
      res.setHeader('content-type', 'text/html')
      res.end(`<a href="${href}#sha256=${sha256Hex(jam.bytes)}">${jam.file}</a>`)
    })
  await using secret = await openTestRegistry((_req, res) => res.end(jam.bytes))
  for (const [href, why] of [
    [`${secret.origin}/${jam.file}`, /asked without encryption/],
    [`https://inside.example/${jam.file}`, /inside\.example leads to 127\.0\.0\.1/],
    [`https://127.0.0.1:${secret.port}/${jam.file}`, /only https on its usual port/],
  ] as const) {
    await using index = await linked(href)
    await using door = await openTestDoor({ python: index, resolve: async () => ['127.0.0.1'] })
    const { status, body } = await get(door, `/-/python/files/plum-jam/${jam.file}`)
    assert.equal(status, 502)
    assert.match(body, why)
  }
  assert.deepEqual(secret.requests, [])
  await using index = await linked(jam.file)
  await using door = await openTestDoor({ python: index })
  assert.equal((await get(door, `/-/python/files/plum-jam/${jam.file}`)).status, 422, 'the control: it is asked')
})

test('where nothing is configured, the index is the one that the pip of builds has built in', async () => {
  const index = await imageIndex(sandbox.client)
  assert.match(index ?? '', /^https:\/\/[a-z.]+\/simple$/)
  assert.deepEqual(await sandbox.client.list(), [])
})

test('without an index, Python packages are refused in words and npm packages are not', async () => {
  await using door = await openTestDoor({ python: () => Promise.reject(new Error('pip names no index')) })
  const { status, body } = await get(door, '/-/python/simple/pear/')
  assert.equal(status, 502)
  assert.match(body, /no Python package index/)
})
