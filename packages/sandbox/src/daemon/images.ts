/**
 * Runtime images: squashfs files made once per machine and mounted once, so that all sandboxes run the very
 * same inodes and share their page cache. An image's file is named after a hash of its recipe; a new version
 * of this program with another recipe makes another file, and sandboxes that run keep theirs.
 */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { imageNames } from '../verbs.ts'
import type { ImageName } from '../verbs.ts'
import type { Instance } from './instance.ts'
import { isMounted, mountImage, warm } from './mounts.ts'
import { publishFirst } from './publish.ts'
import { recipes } from './recipes.ts'
import { replaceFile } from './records.ts'
import { fillRootfs } from './rootfs.ts'
import { squash } from './squash.ts'

/** Raise when `rootfs.ts` makes other files from the same recipe. */
const layout = 2

const underWay = new Map<string, Promise<void>>()

export async function ensureImage(at: Instance, name: ImageName): Promise<{ sha256: string }> {
  const file = imageFile(at, name)
  const note = `${file}.sha256`
  if (!existsSync(file)) await once(file, () => make(at, name))
  // Of the file that is there: another daemon may have been faster, and a killed one have written none.
  if (!existsSync(note)) await once(note, async () => replaceFile(note, await sha256File(file)))
  return { sha256: (await readFile(note, 'utf8')).trim() }
}

/** Makes sure that the image exists and is mounted; answers the mount point. */
export async function mountedImage(at: Instance, name: ImageName): Promise<string> {
  await ensureImage(at, name)
  const point = join(at.run, 'images', `${name}.${recipeTag(name)}`)
  await once(point, async () => {
    if (isMounted(point)) return
    await mountImage({ file: imageFile(at, name), at: point })
    await warm(point)
  })
  return point
}

/** Who asks while it is being done waits for the same. */
async function once(key: string, work: () => Promise<void>): Promise<void> {
  const started = underWay.get(key) ?? work().finally(() => underWay.delete(key))
  underWay.set(key, started)
  await started
}

export function madeImages(at: Instance): ImageName[] {
  return imageNames.filter((name) => existsSync(imageFile(at, name)))
}

/** Removes what a killed daemon left half-made. */
export async function prepareImages(at: Instance): Promise<void> {
  await mkdir(at.images, { recursive: true, mode: 0o755 })
  for (const name of await readdir(at.images))
    if (name.startsWith(`.making-${at.tag}-`)) await rm(join(at.images, name), { recursive: true, force: true })
}

async function make(at: Instance, name: ImageName): Promise<void> {
  const work = await mkdtemp(join(at.images, `.making-${at.tag}-`))
  const startedAt = Date.now()
  console.log(`the runtime image ${name} is being made, once for this machine`)
  try {
    const tree = join(work, 'tree')
    await mkdir(tree)
    await fillRootfs({ recipe: recipes[name], tree, work })
    const image = join(work, 'image.sqfs')
    await squash({ folder: tree, file: image, chmod: 'a+rX,go-w,u-s,g-s' })
    const file = imageFile(at, name)
    await publishFirst({ file: image, as: file })
    const mebibytes = Math.ceil((await stat(file)).size / 2 ** 20)
    console.log(
      `the runtime image ${name} is made: ${mebibytes} MiB in ${Math.ceil((Date.now() - startedAt) / 1000)} s`,
    )
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

function imageFile(at: Instance, name: ImageName): string {
  return join(at.images, `${name}.${recipeTag(name)}.sqfs`)
}

function recipeTag(name: ImageName): string {
  const text = JSON.stringify({ layout, arch: process.arch, recipe: recipes[name] })
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
