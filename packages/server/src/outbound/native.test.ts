/** Native addons: prebuilt binaries lie on hosts that builds do not reach, so their installers must hear so at once. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { openTestSandbox, printed } from '@perennial/sandbox/testing'
import { packageEnvironment } from './packages/environment.ts'
import { npmSettings } from './packages/npm-settings.ts'
import { openTestDoor } from './testing/door.ts'

const MIB = 2 ** 20
const { client, ...sandbox } = await openTestSandbox()
const { doorAddress, subnet } = await client.probe()
const door = await openTestDoor({ npm: await npmSettings(), listen: { address: doorAddress, peers: subnet } })
test.after(async () => {
  await door[Symbol.asyncDispose]()
  await sandbox[Symbol.asyncDispose]()
})
let made = 0

/** Runs a shell script in a folder that has these files. */
async function build(files: Readonly<Record<string, string>>, script: string) {
  const id = `native-${++made}`
  const program = `
    const fs = require('fs')
    for (const [name, text] of Object.entries(JSON.parse(process.argv[1]))) fs.writeFileSync(name, text)
    process.exit(require('child_process').spawnSync('sh', ['-c', process.argv[2]], { stdio: 'inherit' }).status ?? 1)`
  const { address } = await client.start({
    id,
    image: 'build-26',
    writableBytes: 512 * MIB,
    argv: ['node', '-e', program, JSON.stringify(files), script],
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: '/tmp',
      npm_config_nodedir: '/usr',
      ...packageEnvironment({ origin: door.origin, caches: '/tmp' }),
    },
    cwd: '/app',
    user: 'app',
    limits: { memoryBytes: 1024 * MIB, pids: 128, cpuPercent: 200 },
    network: { doors: [{ address: door.address, port: door.port }] },
  })
  const exit = await client.wait({ id, timeoutMs: 300_000 })
  const out = printed(client, id)
  const turnedAway = [...door.traffic.of(address).turnedAway]
  await client.remove({ id })
  door.traffic.forget(address)
  return { code: exit?.code, out, turnedAway }
}

const addon = ({ install, dependencies, binary }: Installer) => ({
  'package.json': JSON.stringify({
    name: 'addon',
    version: '1.0.0',
    main: 'index.js',
    scripts: { install },
    dependencies,
    binary: {
      module_name: 'addon',
      module_path: './build/Release',
      host: 'https://binaries.example.com',
      ...binary,
    },
  }),
  'binding.gyp': `{ 'targets': [{ 'target_name': 'addon', 'sources': ['addon.c'],
    'variables': { 'module_name%': 'addon', 'module_path%': 'build/Release' } }] }`,
  'addon.c': `#include <node_api.h>
    NAPI_MODULE_INIT() {
      napi_value text;
      napi_create_string_utf8(env, "compiled here", NAPI_AUTO_LENGTH, &text);
      return text;
    }`,
})

interface Installer {
  readonly tries: string
  readonly install: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly binary?: object
}

const installers: Readonly<Record<string, Installer>> = {
  'prebuild-install': {
    tries: 'prebuild-install --verbose',
    install: 'prebuild-install || node-gyp rebuild',
    dependencies: { 'prebuild-install': '7.1.3' },
    binary: { napi_versions: [8] },
  },
  'node-pre-gyp': {
    tries: 'node-pre-gyp install',
    install: 'node-pre-gyp install --fallback-to-build',
    dependencies: { '@mapbox/node-pre-gyp': '2.0.3' },
  },
}

for (const [name, installer] of Object.entries(installers))
  test(`${name} is refused its host at once, by name, and the addon is compiled instead`, async () => {
    const script = `
      npm install --ignore-scripts > /dev/null || exit 9
      from=$(date +%s%N)
      PATH="$PWD/node_modules/.bin:$PATH" ${installer.tries}
      echo "refused after $(( ($(date +%s%N) - from) / 1000000 )) ms"
      npm rebuild --foreground-scripts && node -p "'it is ' + require('./build/Release/addon.node')"`
    const { code, out, turnedAway } = await build(addon(installer), script)
    assert.equal(code, 0, out)
    assert.match(out, /403/)
    assert.match(out, /it is compiled here/)
    assert.deepEqual(turnedAway, ['binaries.example.com:443'])
    const ms = Number(/refused after (\d+) ms/.exec(out)?.[1])
    assert.ok(ms < 10_000, `it took ${ms} ms, most of them Node's own start`)
  })

test('whatever a build asks elsewhere, it hears no within a second', async () => {
  const asks = `
    const https = require('https')
    const since = performance.now()
    const said = (what) => (error) => console.log(what, error.cause?.message ?? error.message, Math.round(performance.now() - since), 'ms')
    fetch('https://a.example.com/x').catch(said('fetch:'))
    https.get('https://b.example.com/x').on('error', said('https:'))
    fetch('http://c.example.com/x').then(async (answer) => said('http:')({ message: answer.status + ' ' + await answer.text() }))`
  const { code, out, turnedAway } = await build({ 'ask.js': asks }, 'node ask.js')
  assert.equal(code, 0, out)
  assert.match(out, /^fetch: /m)
  assert.match(out, /https: Failed to establish tunnel to b\.example\.com:443 .* 403 Forbidden/)
  assert.match(out, /http: 403 .*c\.example\.com:80 is not reached from a build/)
  for (const [, ms] of out.matchAll(/(\d+) ms$/gm)) assert.ok(Number(ms) < 1000, out)
  assert.deepEqual(turnedAway.toSorted(), ['a.example.com:443', 'b.example.com:443', 'c.example.com:80'])
})
