/** What sandboxes print: one file each, which the node's group reads and conmon writes. */
import { chmod, chown, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { logsFolder } from '../verbs.ts'
import type { Instance } from './instance.ts'
import { removeFile } from './mounts.ts'

const folder = (at: Instance) => join(at.root, logsFolder)
export const logFile = (at: Instance, id: string) => join(folder(at), `${id}.log`)

export async function prepareLogs(at: Instance): Promise<void> {
  await mkdir(folder(at), { recursive: true })
  await chown(folder(at), 0, at.gid)
  // Set-gid: the file that conmon begins when a log is full belongs to the node's group too.
  await chmod(folder(at), 0o2750)
}

export async function makeLog(at: Instance, id: string): Promise<string> {
  const file = await open(logFile(at, id), 'w', 0o640)
  await file.close()
  return logFile(at, id)
}

export async function removeLog(at: Instance, id: string): Promise<void> {
  await removeFile(logFile(at, id))
  // conmon's next file, if it was just starting one.
  await removeFile(`${logFile(at, id)}.tmp`)
}
