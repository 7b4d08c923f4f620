/** What sandboxes print: one file each, written by conmon, readable by the node's group. */
import { watch } from 'node:fs'
import { chmod, chown, mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { logsFolder } from '../verbs.ts'
import type { Instance } from './instance.ts'
import { ignoreMissing, removeFile } from './mounts.ts'

const readable = 0o640

const folder = (at: Instance) => join(at.root, logsFolder)
export const logFile = (at: Instance, id: string) => join(folder(at), `${id}.log`)

/** A full log is replaced by conmon with a file that only root may read; each is opened up as it appears. */
export async function prepareLogs(at: Instance): Promise<void> {
  await mkdir(folder(at), { recursive: true })
  await chown(folder(at), 0, at.gid)
  // Set-gid: every file in it belongs to the node's group.
  await chmod(folder(at), 0o2750)
  const openUp = (name: string) => chmod(join(folder(at), name), readable).catch(ignoreMissing)
  watch(folder(at), (event, name) => {
    if (event === 'rename' && name?.endsWith('.log')) void openUp(name)
  })
  for (const name of await readdir(folder(at))) await openUp(name)
}

export async function makeLog(at: Instance, id: string): Promise<string> {
  const file = await open(logFile(at, id), 'w', readable)
  await file.close()
  return logFile(at, id)
}

export async function removeLog(at: Instance, id: string): Promise<void> {
  await removeFile(logFile(at, id))
  // conmon's next file, if it was just starting one.
  await removeFile(`${logFile(at, id)}.tmp`)
}
