/** Each package manager, fetched through the door itself, installs real packages with the door as its only registry. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { promisify } from 'node:util'
import { packageEnvironment } from './packages/environment.ts'
import { npmSettings } from './packages/npm-settings.ts'
import { openTestDoor } from './testing/door.ts'

const TOOLS = {
  pnpm: 'npm:pnpm@10.34.9',
  'pnpm-native': 'npm:pnpm@12.21.0',
  yarn: '1.22.22',
  '@yarnpkg/cli-dist': '4.18.1',
}
/** One in a scope, one that needs another, one too large to be sent from memory. */
const DEPENDENCIES = { 'is-number': '7.0.0', '@sindresorhus/is': '7.0.1', once: '1.4.0', lodash: '4.17.21' }

const folder = mkdtempSync(join(tmpdir(), 'perennial-managers-'))
const door = await openTestDoor({ npm: await npmSettings() })
test.after(async () => {
  await door[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

async function run(cwd: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const [program = '', ...rest] = argv
  await promisify(execFile)(program, rest, {
    cwd,
    env: {
      PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
      HOME: cwd,
      CI: 'true',
      ...packageEnvironment({ origin: door.origin, caches: join(cwd, '.caches') }),
      ...env,
    },
  })
}

function project(name: string): string {
  const at = join(folder, name)
  mkdirSync(at)
  writeFileSync(join(at, 'package.json'), JSON.stringify({ name, private: true, dependencies: DEPENDENCIES }))
  return at
}

const tools = join(folder, 'tools')
const tool = (path: string) => join(tools, 'node_modules', path)

test('npm gets the other managers through the door', async () => {
  mkdirSync(tools)
  writeFileSync(join(tools, 'package.json'), JSON.stringify({ name: 'tools', dependencies: TOOLS }))
  await run(tools, ['npm', 'install', '--ignore-scripts'])
})

const managers: readonly {
  readonly name: string
  readonly install: readonly string[]
  readonly again: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly lockfile: string
}[] = [
  { name: 'npm', install: ['npm', 'install'], again: ['npm', 'ci'], lockfile: 'package-lock.json' },
  {
    name: 'pnpm 10',
    install: ['node', tool('pnpm/bin/pnpm.cjs'), 'install', '--no-frozen-lockfile'],
    again: ['node', tool('pnpm/bin/pnpm.cjs'), 'install', '--frozen-lockfile'],
    lockfile: 'pnpm-lock.yaml',
  },
  {
    name: 'pnpm 12',
    install: ['sh', tool('pnpm-native/pnpm'), 'install', '--no-frozen-lockfile'],
    again: ['sh', tool('pnpm-native/pnpm'), 'install', '--frozen-lockfile'],
    lockfile: 'pnpm-lock.yaml',
  },
  {
    name: 'classic Yarn',
    install: ['node', tool('yarn/bin/yarn.js'), 'install'],
    again: ['node', tool('yarn/bin/yarn.js'), 'install', '--frozen-lockfile'],
    lockfile: 'yarn.lock',
  },
  {
    name: 'Yarn 4',
    install: ['node', tool('@yarnpkg/cli-dist/bin/yarn.js'), 'install', '--no-immutable'],
    again: ['node', tool('@yarnpkg/cli-dist/bin/yarn.js'), 'install', '--immutable'],
    env: { YARN_NODE_LINKER: 'node-modules' },
    lockfile: 'yarn.lock',
  },
]

for (const { name, install, again, env, lockfile } of managers)
  test(`${name} installs through the door, and again from its lockfile, and asks nobody else`, async () => {
    const at = project(name.replaceAll(/\W/g, '-'))
    await run(at, install, env)
    installed(at)
    const locked = readFileSync(join(at, lockfile), 'utf8')
    for (const made of ['node_modules', '.caches']) rmSync(join(at, made), { recursive: true, force: true })
    await run(at, again, env)
    installed(at)
    assert.equal(readFileSync(join(at, lockfile), 'utf8'), locked)
    assert.deepEqual([...door.traffic.of('127.0.0.1').turnedAway], [])
    assert.deepEqual(door.warnings, [])
  })

function installed(at: string): void {
  for (const [name, version] of Object.entries(DEPENDENCIES)) {
    const found = join(at, 'node_modules', name, 'package.json')
    assert.ok(existsSync(found), `${name} is installed`)
    assert.equal((JSON.parse(readFileSync(found, 'utf8')) as { version: string }).version, version)
  }
}

test('npm asks the door whatever registry its lockfile names', async () => {
  const at = project('foreign-lock')
  await run(at, ['npm', 'install', '--package-lock-only', '--omit-lockfile-registry-resolved=false'])
  const lockfile = join(at, 'package-lock.json')
  const named = readFileSync(lockfile, 'utf8').replaceAll(door.origin, 'https://packages.example')
  assert.match(named, /https:\/\/packages\.example\/once\/-\/once-1\.4\.0\.tgz/)
  writeFileSync(lockfile, named)
  await run(at, ['npm', 'ci'])
  installed(at)
})
