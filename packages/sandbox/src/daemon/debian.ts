/** Debian packages of a runtime image, downloaded by apt, which checks their signatures, and unpacked, never installed. */
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, rm, symlink } from 'node:fs/promises'
import { join, matchesGlob } from 'node:path'
import { leftOut } from './recipes.ts'
import type { Recipe } from './recipes.ts'
import { run } from './run.ts'

const downloadTimeoutMs = 10 * 60_000

export async function unpackDebian(image: { recipe: Recipe; tree: string; work: string }): Promise<void> {
  const { recipe, tree, work } = image
  const names = [...new Set([...recipe.debian, ...(await dependencies(recipe))])].sort()
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
async function dependencies({ withDependencies, without = [] }: Recipe): Promise<string[]> {
  const found = new Set<string>()
  const isLeftOut = (name: string) => [...leftOut, ...without].some((pattern) => matchesGlob(name, pattern))
  let level = [...withDependencies]
  while (level.length > 0) {
    for (const name of level) found.add(name)
    const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances']
    const text = await run('apt-cache', ['depends', ...kinds.map((kind) => `--no-${kind}`), ...level])
    // ` |Depends:` is the first of several alternatives; the last one, without the bar, is taken.
    const named = [...text.matchAll(/^ +(?:Pre)?Depends: ([a-z0-9][a-z0-9+.-]*)$/gm)].map((match) => match[1] ?? '')
    level = [...new Set(named)].filter((name) => !found.has(name) && !isLeftOut(name))
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
