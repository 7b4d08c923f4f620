/** Reads the command line and refuses to start where a promise could not be kept. */
import { lstatSync, mkdirSync } from 'node:fs'
import { dirname, isAbsolute, join, normalize } from 'node:path'
import { subnetNumber } from './instance.ts'

export interface Options {
  readonly root: string
  readonly uid: number
  readonly gid: number
  readonly subnet?: string
  readonly images: string
}

export function readOptions(values: {
  root?: string | undefined
  uid?: string | undefined
  gid?: string | undefined
  subnet?: string | undefined
  images?: string | undefined
}): Options {
  if (process.getuid?.() !== 0) throw new Error('sandboxd must be started as root; everything else need not be')
  const root = folder('--root', values.root)
  const images = folder('--images', values.images ?? join(root, 'images'))
  const { subnet } = values
  if (subnet !== undefined && subnetNumber(subnet) === undefined)
    throw new Error(`--subnet must look like 10.77.0.0/16, not ${subnet}`)
  for (const path of [root, images]) ensureSafeFolder(path)
  return { root, images, uid: id('--uid', values.uid), gid: id('--gid', values.gid), ...(subnet && { subnet }) }
}

function folder(option: string, path: string | undefined): string {
  if (
    path === undefined ||
    !isAbsolute(path) ||
    normalize(path) !== path ||
    path.endsWith('/') ||
    /[\s,:\\]/.test(path)
  )
    throw new Error(`${option} must be an absolute path without blanks, commas, colons or a final slash`)
  return path
}

function id(option: string, text: string | undefined): number {
  if (text === undefined || !/^\d{1,9}$/.test(text)) throw new Error(`${option} must be a number, as \`id\` prints it`)
  return Number(text)
}

/**
 * Whoever can rename a folder above ours could put another tree in its place and have root work on it. So
 * every folder up to / must belong to root and be closed to others (a sticky one, such as /tmp, is fine).
 */
function ensureSafeFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o755 })
  for (let at = path; ; at = dirname(at)) {
    const { uid, mode } = lstatSync(at)
    const isDirectory = (mode & 0o170_000) === 0o040_000
    const isOpen = (mode & 0o022) !== 0 && (mode & 0o1000) === 0
    if (!isDirectory || uid !== 0 || isOpen)
      throw new Error(`${at} must be a folder that only root can change, since sandboxd works below it as root`)
    if (at === '/') return
  }
}
