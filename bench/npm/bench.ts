/**
 * `npm ci` of some 460 packages (Node-RED, SvelteKit, Vite) through the package door, against bare npm.
 *
 * warm: the door has all packages, npm's cache is empty, as in each build; bare npm has them in its own cache.
 * cold: neither has any. fetch: the tarballs alone, 15 at once, from the warm door against the registry itself.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { packageEnvironment } from '../../packages/server/src/outbound/index.ts'
import { npmSettings } from '../../packages/server/src/outbound/packages/npm-settings.ts'
import type { UpstreamSettings } from '../../packages/server/src/outbound/packages/upstream.ts'
import { openTestDoor } from '../../packages/server/src/outbound/testing/door.ts'
import { figure, type Figure, type Pair } from '../figure.ts'

const DEPENDENCIES = { 'node-red': '5.0.7', '@sveltejs/kit': '3.2.0', vite: '8.3.8', svelte: '5.57.3' }
/** More than one sandbox may move: one process stands for the builds of all rounds. */
const ANY = 2 ** 40

interface Place {
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
}

export async function* run({ rounds }: { rounds: number; seconds: number }): AsyncGenerator<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'perennial-bench-npm-'))
  const registry = await npmSettings()
  const open = (store: string) => openTestDoor({ npm: registry, folder: join(folder, store), bytes: ANY, room: ANY })
  const path = `${dirname(process.execPath)}:${process.env['PATH']}`
  const bare = { folder, env: { ...process.env, PATH: path, npm_config_audit: 'false', npm_config_fund: 'false' } }
  const through = (origin: string) => ({
    folder,
    env: { PATH: path, HOME: folder, ...packageEnvironment({ origin, caches: join(folder, 'caches') }) },
  })
  try {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'bench', dependencies: DEPENDENCIES }))
    await npm(bare, 'install', '--package-lock-only')
    const [cold, warm, fetched]: [Pair[], Pair[], Pair[]] = [[], [], []]
    for (let round = 0; round < rounds; round++) {
      const cache = { ...bare, env: { ...bare.env, npm_config_cache: join(folder, `own-${round}`) } }
      await using door = await open(`store-${round}`)
      const build = through(door.origin)
      cold.push({ ours: await ci(build), theirs: await ci(cache) })
      rmSync(join(folder, 'caches'), { recursive: true })
      warm.push({ ours: await ci(build), theirs: await ci(cache) })
      rmSync(join(folder, 'caches'), { recursive: true })
      fetched.push({ ours: await fetchAll(folder, { url: door.origin }), theirs: await fetchAll(folder, registry) })
    }
    const npmCi = { bench: 'npm', unit: 's', better: 'lower' } as const
    yield figure({ ...npmCi, case: 'ci-warm', peer: 'npm, own cache' }, warm)
    yield figure({ ...npmCi, case: 'ci-cold', peer: 'npm, no cache' }, cold)
    yield figure({ bench: 'npm', case: 'fetch', peer: 'registry', unit: 'MB/s', better: 'higher' }, fetched)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** In seconds, from a folder without packages. */
async function ci(place: Place): Promise<number> {
  rmSync(join(place.folder, 'node_modules'), { recursive: true, force: true })
  const from = performance.now()
  await npm(place, 'ci')
  return (performance.now() - from) / 1000
}

async function npm({ folder, env }: Place, ...argv: string[]): Promise<void> {
  await promisify(execFile)('npm', [...argv, '--ignore-scripts'], { cwd: folder, env, maxBuffer: 2 ** 26 })
}

/** In MB/s, by a process of its own. */
async function fetchAll(folder: string, { url, ca }: UpstreamSettings): Promise<number> {
  const authorities = join(folder, 'ca.pem')
  if (ca !== undefined) writeFileSync(authorities, ca)
  const program = join(import.meta.dirname, 'fetch.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [program, join(folder, 'package-lock.json'), url], {
    env: { ...(ca !== undefined && { NODE_EXTRA_CA_CERTS: authorities }) },
  })
  return Number(stdout)
}
