/** Packages of npm that go into runtime images: Node itself, and npm. */
import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { NpmPackage } from './recipes.ts'
import { run, ToolFailed } from './run.ts'

const downloadTimeoutMs = 10 * 60_000

/** That of our own lockfile where it is the version wanted, else downloaded and checked. */
export async function npmPackage(wanted: NpmPackage, work: string): Promise<string> {
  return ownPackage(wanted) ?? (await downloadNpm(wanted, work))
}

function ownPackage({ name, version }: NpmPackage): string | undefined {
  const require = createRequire(import.meta.url)
  try {
    const manifest = require.resolve(`${name}/package.json`)
    return (require(manifest) as { version: string }).version === version ? dirname(manifest) : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

export async function downloadNpm({ name, version, integrity }: NpmPackage, work: string): Promise<string> {
  const folder = join(work, name)
  await mkdir(folder)
  const spec = `${name}@${version}`
  await run('npm', ['pack', spec, '--loglevel', 'error', '--pack-destination', folder], {
    cwd: folder,
    env: npmEnvironment(),
    timeoutMs: downloadTimeoutMs,
  })
  const archive = join(folder, `${name}-${version}.tgz`)
  const digest = createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')
  if (`sha512-${digest}` !== integrity)
    throw new ToolFailed(`the registry's ${spec} is not the one this version was made for; its hash differs`)
  await run('tar', ['-xzf', archive, '-C', folder, '--no-same-owner'])
  return join(folder, 'package')
}

/** npm stands where the operator's PATH says, and reaches the registry as the operator's settings say. */
function npmEnvironment(): { [name: string]: string } {
  const wanted = /^(PATH|HOME|npm_config_.*|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR))$/i
  const passed = Object.entries(process.env).filter(([name]) => wanted.test(name))
  return Object.fromEntries(passed.map(([name, text]) => [name, text ?? '']))
}
