import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { imageNames, sandboxClient } from '../client/index.ts'
import type { ImageName } from '../client/index.ts'
import { openTestSandbox, runToEnd, spec } from '../testing.ts'
import { startDaemon } from './launch.ts'

const sandbox = await openTestSandbox()
const { client } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const run = async (image: ImageName, ...argv: string[]) =>
  (await runToEnd(client, spec({ id: 'tool', image, argv }))).out.trim()

test('every image can be made, is made once, and holds what its name says', { timeout: 600_000 }, async () => {
  for (const name of imageNames) {
    const { sha256 } = await client.image({ name })
    assert.match(sha256, /^[0-9a-f]{64}$/)
    assert.deepEqual(await client.image({ name }), { sha256 })
  }
  assert.deepEqual((await client.probe()).images, [...imageNames])
  assert.match(await run('node-24', 'node', '--version'), /^v24\./)
  assert.match(await run('node-26', 'node', '--version'), /^v26\./)
  assert.match(await run('build-24', 'sh', '-c', 'node --version; npm --version'), /^v24\.\S+\n11\./)
  assert.match(await run('build-26', 'sh', '-c', 'node --version; npm --version'), /^v26\.\S+\n11\./)
  assert.match(await run('git', 'git', '--version'), /^git version 2\./)
  assert.match(await run('base', 'sh', '-c', 'tar --version; gzip --version'), /^tar \(GNU tar\)[^]*\ngzip 1/)
  assert.match(await run('static', 'sh', '-c', 'busybox httpd --help 2>&1; which node || echo none'), /httpd[^]*none/)
})

test('Python has its standard library, compiled, and finds certificates and time zones', async () => {
  const script = `import asyncio, bz2, ctypes, curses, hashlib, http.server, lzma, os, sqlite3, ssl, uuid, zoneinfo
zoneinfo.ZoneInfo('Europe/Berlin')
assert len(ssl.create_default_context().get_ca_certs()) > 100
assert http.server.__cached__ and os.path.exists(http.server.__cached__)
print(sqlite3.connect(':memory:').execute('select 6 * 7').fetchone()[0])`
  assert.equal(await run('python', 'python', '-c', script), '42')
})

test('Python packages are installed into an environment of the app, which runs without the tools that made it', async () => {
  await client.scratch({ id: 'venv', sizeBytes: 64 * 2 ** 20 })
  const wheel = `import zipfile
with zipfile.ZipFile('greet-1-py3-none-any.whl', 'w') as z:
  z.writestr('greet.py', 'def greet(): return "hello"')
  z.writestr('greet-1.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: greet\\nVersion: 1\\n')
  z.writestr('greet-1.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
  z.writestr('greet-1.dist-info/RECORD', '')`
  const install = `python -m venv .venv && .venv/bin/pip --version && python -c "$WHEEL" &&
    .venv/bin/pip install -q --no-index ./greet-1-py3-none-any.whl`
  const script = ['sh', '-c', install]
  const built = await runToEnd(
    client,
    spec({
      id: 'pip',
      image: 'build-python',
      user: 'root',
      scratch: 'venv',
      argv: script,
      env: { WHEEL: wheel },
      limits: roomy,
    }),
  )
  assert.match(built.out, /^pip 2/)
  const { sha256 } = await client.pack({ scratch: 'venv' })
  const argv = ['.venv/bin/python', '-c', 'import greet; print(greet.greet())']
  const { out } = await runToEnd(client, spec({ id: 'greet', image: 'python', release: sha256, argv }))
  assert.equal(out, 'hello\n', built.out)
  await client.removeScratch({ id: 'venv' })
})

test('an addon of npm that has to be compiled is compiled without the network', { timeout: 120_000 }, async () => {
  const addon = `#include <node_api.h>
static napi_value answer(napi_env env, napi_callback_info info) { napi_value v; napi_create_int32(env, 42, &v); return v; }
NAPI_MODULE_INIT() { napi_value f; napi_create_function(env, "answer", 6, answer, 0, &f); return f; }`
  const other = `#include <node.h>\n#include <string>\nstd::string unused() { return NODE_VERSION; }`
  const files = {
    'package.json': JSON.stringify({ name: 'addon', version: '1.0.0' }),
    'binding.gyp': JSON.stringify({ targets: [{ target_name: 'addon', sources: ['addon.c', 'other.cc'] }] }),
    'addon.c': addon,
    'other.cc': other,
  }
  for (const image of ['build-24', 'build-26'] as const) {
    await client.scratch({ id: image, sizeBytes: 64 * 2 ** 20 })
    const write = `for (const [name, text] of Object.entries(${JSON.stringify(files)})) fs.writeFileSync(name, text)`
    const script = `node -e "$WRITE" && npm install --offline --no-audit 2>&1 && node -p "require('./build/Release/addon.node')()"`
    const argv = ['sh', '-c', script]
    const env = { WRITE: write }
    const { out } = await runToEnd(client, spec({ id: 'gyp', image, scratch: image, argv, env, limits: roomy }))
    assert.match(out, /\n42\n$/, out)
    await client.removeScratch({ id: image })
  }
})

const roomy = { memoryBytes: 1024 * 2 ** 20, pids: 128, cpuPercent: 200 }

test('git can clone and reach an https address with the certificates it brought', async () => {
  const script = `git init -q a && cd a && git -c user.name=n -c user.email=e commit -q --allow-empty -m first && cd ..
    git clone -q a b && git -C b log --format=%s; git remote-https 2>&1 | head -1; grep -c BEGIN /etc/ssl/certs/ca-certificates.crt`
  const [subject, , certificates] = (await run('git', 'sh', '-c', script)).split('\n')
  assert.equal(subject, 'first')
  assert.ok(Number(certificates) > 100)
})

test('all sandboxes run the same file, so that they share its memory', async () => {
  const argv = ['node', '-e', 'setTimeout(() => {}, 60000)']
  const started = [
    await client.start(spec({ id: 'a', image: 'node-24', argv })),
    await client.start(spec({ id: 'b', image: 'node-24', argv })),
  ]
  const files = started.map(({ pid }) => statSync(join('/proc', String(pid), 'root/usr/bin/node')))
  assert.deepEqual([files[0]?.dev, files[0]?.ino], [files[1]?.dev, files[1]?.ino])
  for (const id of ['a', 'b']) await client.remove({ id })
})

test('an image holds no setuid file, nothing writable, and nothing of the host', async () => {
  for (const image of ['git', 'build-24', 'postgres', 'build-python', 'base'] as const) {
    const script =
      'find / -xdev \\( -perm /6000 -o -perm /022 ! -type l \\) -print | grep -v -e ^/app -e ^/tmp; ls /usr/local /etc'
    const out = await run(image, 'sh', '-c', script)
    assert.doesNotMatch(out, /^\/(?!etc:|usr\/local:)/m, out)
    assert.doesNotMatch(out, /hostname|machine-id|shadow|apt/)
  }
})

test('two daemons that make an image of one folder at once have the same one', { timeout: 300_000 }, async () => {
  const images = mkdtempSync('/var/tmp/perennial-images-')
  const daemons = await Promise.all(
    ['one', 'two'].map((name) => startDaemon({ root: join(images, name), uid: 0, gid: 0, images })),
  )
  const clients = daemons.map(({ socket }) => sandboxClient({ socket }))
  try {
    const [one, two] = await Promise.all(clients.map((each) => each.image({ name: 'static' })))
    assert.deepEqual(one, two)
    const file = readdirSync(images).find((name) => name.endsWith('.sqfs')) ?? ''
    const bytes = readFileSync(join(images, file))
    assert.equal(createHash('sha256').update(bytes).digest('hex'), one?.sha256)
    // One that a killed daemon named and did not describe is described by the next.
    rmSync(join(images, `${file}.sha256`))
    assert.deepEqual(await clients[0]?.image({ name: 'static' }), one)
    await Promise.all(clients.map((each) => each.start(spec({ id: 'a', argv: ['sleep', '100'] }))))
  } finally {
    for (const each of clients) each.close()
    await Promise.all(daemons.map((daemon) => daemon.destroy()))
    rmSync(images, { recursive: true })
  }
})
