/** Fills a folder with the root file system of a runtime image. */
import { existsSync } from 'node:fs'
import { copyFile, cp, glob, mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { unpackDebian } from './debian.ts'
import { downloadNpm, npmPackage } from './npm-packages.ts'
import type { NpmPackage, Recipe } from './recipes.ts'
import { run } from './run.ts'

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
  'usr/share/info',
  'usr/share/zoneinfo/posix',
  'usr/share/zoneinfo/right',
  'usr/lib/*-linux-gnu/gconv',
  'var',
]
const headers = 'usr/include'
const compileTimeoutMs = 10 * 60_000

interface Image {
  readonly recipe: Recipe
  readonly tree: string
  readonly work: string
}

export async function fillRootfs(image: Image): Promise<void> {
  const { recipe, tree, work } = image
  await unpackDebian(image)
  const unwanted = [...pruned, ...(recipe.pruned ?? []), ...(recipe.compiles ? [] : [headers])]
  for await (const path of glob(unwanted, { cwd: tree })) await rm(join(tree, path), { recursive: true, force: true })
  if (recipe.node) await addNode(image, recipe.node)
  if (recipe.npm) await addNpm({ npm: recipe.npm, tree, work })
  await addLinks(image)
  await linkBusybox(tree)
  await addConfiguration(tree)
  await compilePython(tree)
}

async function addNode({ recipe, tree, work }: Image, node: NpmPackage): Promise<void> {
  const home = await npmPackage(node, work)
  await copyFile(join(home, 'bin/node'), join(tree, 'usr/bin/node'))
  if (!recipe.compiles) return
  // OpenSSL's configuration is there for sixty machines.
  const other = (path: string) => /\/openssl\/archs\/(?!linux-(x86_64|aarch64)(\/|$))./.test(path)
  await cp(join(home, 'include/node'), join(tree, headers, 'node'), { recursive: true, filter: (from) => !other(from) })
}

async function addNpm({ npm, tree, work }: { npm: NpmPackage; tree: string; work: string }): Promise<void> {
  const home = join(tree, 'usr/lib/node_modules')
  await mkdir(home, { recursive: true })
  await rename(await downloadNpm(npm, work), join(home, 'npm'))
  for (const tool of ['npm', 'npx'])
    await symlink(`../lib/node_modules/npm/bin/${tool}-cli.js`, join(tree, 'usr/bin', tool))
}

/** What the packages' scripts make when they are installed, and what lets callers not know a version. */
async function addLinks({ recipe, tree }: Image): Promise<void> {
  for (const [name, target] of Object.entries(recipe.links ?? {})) await symlink(target, join(tree, 'usr/bin', name))
  const postgres = join(tree, 'usr/lib/postgresql')
  if (!existsSync(postgres)) return
  const [version = ''] = await readdir(postgres)
  await symlink(version, join(postgres, 'current'))
  for (const name of await readdir(join(postgres, version, 'bin'))) {
    await rm(join(tree, 'usr/bin', name), { force: true })
    await symlink(`../lib/postgresql/current/bin/${name}`, join(tree, 'usr/bin', name))
  }
}

/**
 * An image is read-only, so what Python does not find compiled it compiles again at each start. Unchecked: the times of
 * files are not kept, and nobody can change them.
 */
async function compilePython(tree: string): Promise<void> {
  if (!existsSync(join(tree, 'usr/bin/python3'))) return
  const folders = (await readdir(join(tree, 'usr/lib'))).filter((name) => name.startsWith('python'))
  const options = ['-q', '-j', '1', '--invalidation-mode', 'unchecked-hash']
  const argv = ['/usr/bin/python3', '-m', 'compileall', ...options, ...folders.map((name) => `/usr/lib/${name}`)]
  await run('chroot', [tree, ...argv], { env: { PYTHONHASHSEED: '0' }, timeoutMs: compileTimeoutMs })
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
  // Where OpenSSL looks first.
  await mkdir(join(tree, 'usr/lib/ssl'), { recursive: true })
  await symlink('/etc/ssl/certs/ca-certificates.crt', join(tree, 'usr/lib/ssl/cert.pem'))
}
