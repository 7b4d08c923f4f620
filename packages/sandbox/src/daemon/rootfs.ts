/** Fills a folder with the root file system of a runtime image. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { leftOut } from './recipes.ts'
import type { NpmPackage, Recipe } from './recipes.ts'
import { run, ToolFailed } from './run.ts'

const downloadTimeoutMs = 10 * 60_000

/** Of Debian's packages: nothing that a program needs while it runs. */
const pruned = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/share/lintian',
  'usr/share/bash-completion',
  'usr/share/gitweb',
  'usr/share/bug',
  'usr/share/perl5',
  'usr/include',
  'var',
]

export async function fillRootfs(image: { recipe: Recipe; tree: string; work: string }): Promise<void> {
  const { recipe, tree, work } = image
  await unpackDebian(image)
  for (const folder of pruned) await rm(join(tree, folder), { recursive: true, force: true })
  for (const library of await libraryFolders(tree)) await rm(join(library, 'gconv'), { recursive: true, force: true })
  if (recipe.node) await copyFile(await nodeBinary(recipe.node, work), join(tree, 'usr/bin/node'))
  if (recipe.npm) await addNpm({ npm: recipe.npm, tree, work })
  await linkBusybox(tree)
  await addConfiguration(tree)
}

async function unpackDebian({ recipe, tree, work }: { recipe: Recipe; tree: string; work: string }): Promise<void> {
  const names = [...new Set([...recipe.debian, ...(await dependencies(recipe.withDependencies))])].sort()
  const folder = join(work, 'debian')
  await mkdir(folder)
  const download = () =>
    run('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', 'download', ...names], {
      cwd: folder,
      timeoutMs: downloadTimeoutMs,
    })
  await download().catch(async () => {
    // A fresh machine has no package lists, an old one has stale ones.
    await run('apt-get', ['-q', 'update'], { timeoutMs: downloadTimeoutMs })
    await download()
  })
  for (const file of (await readdir(folder)).sort()) await run('dpkg-deb', ['-x', join(folder, file), tree])
  await mergeUsr(tree)
}

/** The packages and everything they depend on, level by level. */
async function dependencies(roots: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  let level = [...roots]
  while (level.length > 0) {
    for (const name of level) found.add(name)
    const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances']
    const text = await run('apt-cache', ['depends', ...kinds.map((kind) => `--no-${kind}`), ...level])
    // ` |Depends:` is the first of several alternatives; the last one, without the bar, is taken.
    const named = [...text.matchAll(/^ +(?:Pre)?Depends: ([a-z0-9][a-z0-9+.-]*)$/gm)].map((match) => match[1] ?? '')
    level = [...new Set(named)].filter((name) => !found.has(name) && !leftOut.includes(name))
  }
  return [...found]
}

/** Debian 12 still ships some files in /lib and /bin; the image has them below /usr only. */
async function mergeUsr(tree: string): Promise<void> {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    const old = join(tree, name)
    await mkdir(join(tree, 'usr', name), { recursive: true })
    if (existsSync(old)) await cp(old, join(tree, 'usr', name), { recursive: true, verbatimSymlinks: true })
    await rm(old, { recursive: true, force: true })
    await symlink(`usr/${name}`, old)
  }
}

async function libraryFolders(tree: string): Promise<string[]> {
  const top = join(tree, 'usr/lib')
  return (await readdir(top)).filter((name) => name.endsWith('-linux-gnu')).map((name) => join(top, name))
}

/** The binary of our own lockfile where that is the version wanted, else downloaded and checked. */
async function nodeBinary(wanted: NpmPackage, work: string): Promise<string> {
  const own = ownPackage(wanted)
  if (own) return join(own, 'bin/node')
  return join(await downloadNpm(wanted, work), 'bin/node')
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

async function downloadNpm({ name, version, integrity }: NpmPackage, work: string): Promise<string> {
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

async function addNpm({ npm, tree, work }: { npm: NpmPackage; tree: string; work: string }): Promise<void> {
  const home = join(tree, 'usr/lib/node_modules')
  await mkdir(home, { recursive: true })
  await rename(await downloadNpm(npm, work), join(home, 'npm'))
  for (const tool of ['npm', 'npx'])
    await symlink(`../lib/node_modules/npm/bin/${tool}-cli.js`, join(tree, 'usr/bin', tool))
}

/** `/usr/bin/sh` and two hundred small tools, where no package brought its own. */
async function linkBusybox(tree: string): Promise<void> {
  const applets = await run(join(tree, 'usr/bin/busybox'), ['--list'])
  for (const name of applets.split('\n'))
    if (/^[a-z0-9_[-]+$/i.test(name) && !existsSync(join(tree, 'usr/bin', name)) && name !== 'busybox')
      await symlink('busybox', join(tree, 'usr/bin', name))
}

async function addConfiguration(tree: string): Promise<void> {
  const files: { [path: string]: string } = {
    'etc/passwd':
      'root:x:0:0:root:/tmp:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/false\n',
    'etc/group': 'root:x:0:\napp:x:1000:\nnogroup:x:65534:\n',
    'etc/hosts': '',
    'etc/resolv.conf': '',
    'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  }
  for (const folder of ['app', 'data', 'dev', 'etc', 'proc', 'run', 'tmp'])
    await mkdir(join(tree, folder), { recursive: true })
  for (const [path, content] of Object.entries(files)) await writeFile(join(tree, path), content)
  await bundleCertificates(tree)
}

/** What the ca-certificates package does after installation. */
async function bundleCertificates(tree: string): Promise<void> {
  const source = join(tree, 'usr/share/ca-certificates/mozilla')
  if (!existsSync(source)) return
  const names = (await readdir(source)).filter((name) => name.endsWith('.crt')).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(source, name), 'utf8')))
  await mkdir(join(tree, 'etc/ssl/certs'), { recursive: true })
  await writeFile(join(tree, 'etc/ssl/certs/ca-certificates.crt'), texts.join(''))
}
