/**
 * Steps down below a folder whose names were given by strangers, one part at a time and through no link: a link
 * planted on the way would lead out of their disk, and root would follow it. Each step starts from the open folder
 * before it, so that nothing can be put in its place meanwhile.
 */
import { constants } from 'node:fs'
import { lstat, mkdir, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { Refusal } from './refuse.ts'

const noLink = constants.O_RDONLY | constants.O_NOFOLLOW
const folderOnly = noLink | constants.O_DIRECTORY
/** A pipe would keep us waiting for its writer. */
const fileOnly = noLink | constants.O_NONBLOCK

export interface Below {
  readonly top: string
  /** Relative, without empty, `.` or `..` parts. */
  readonly path: string
}

/** A name in an open folder, as a path for whoever takes one. */
const inside = (folder: FileHandle, name: string) => `/proc/self/fd/${folder.fd}/${name}`

/** Opens a regular file below `top`; the caller closes it. */
export async function openFileBelow({ top, path }: Below): Promise<FileHandle> {
  return descend({ top, path }, async (folder, name) => {
    const file = await open(inside(folder, name), fileOnly).catch((error: unknown) => explain(error, path))
    if ((await file.stat()).isFile()) return file
    await file.close()
    throw new Refusal('invalid', `${path} is not a file`)
  })
}

/** Makes what is missing of a place to mount on, for `owner` of what is made. */
export async function makeMountPoint(place: Below & { kind: 'folder' | 'file'; owner: number }): Promise<void> {
  const { kind, owner, path } = place
  const folderIn = (parent: FileHandle, name: string) => makeFolder(parent, { name, owner, path })
  await descend(
    place,
    async (parent, name) => {
      if (kind === 'folder') return (await folderIn(parent, name)).close()
      const create = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY
      const file = await open(inside(parent, name), create, 0o644).catch(ignoreExisting)
      if (!file) {
        if (!(await lstat(inside(parent, name))).isFile()) throw new Refusal('invalid', `/app/${path} is not a file`)
        return
      }
      await file.chown(owner, owner)
      await file.close()
    },
    folderIn,
  )
}

async function makeFolder(parent: FileHandle, place: { name: string; owner: number; path: string }) {
  const at = inside(parent, place.name)
  const made = await mkdir(at, 0o755).then(() => true, ignoreExisting)
  const folder = await openFolder(at, place.path)
  if (made) await folder.chown(place.owner, place.owner)
  return folder
}

type Step = (parent: FileHandle, name: string) => Promise<FileHandle>

/** Opens every folder on the way and gives the last one to `work`, with the name that is left. */
async function descend<T>(
  { top, path }: Below,
  work: (folder: FileHandle, name: string) => Promise<T>,
  step: Step = (parent, name) => openFolder(inside(parent, name), path),
): Promise<T> {
  const parts = path.split('/')
  const last = parts.pop() ?? ''
  let folder = await open(top, folderOnly)
  try {
    for (const part of parts) {
      const next = await step(folder, part)
      await folder.close()
      folder = next
    }
    return await work(folder, last)
  } finally {
    await folder.close()
  }
}

function openFolder(at: string, path: string): Promise<FileHandle> {
  return open(at, folderOnly).catch((error: unknown) => explain(error, path))
}

function explain(error: unknown, path: string): never {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') throw new Refusal('missing', `there is no ${path}`)
  if (code === 'ELOOP' || code === 'ENOTDIR' || code === 'ENXIO')
    throw new Refusal('invalid', `${path} leads through a link, or through what is no folder`)
  throw error
}

function ignoreExisting(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EEXIST') throw error
}
