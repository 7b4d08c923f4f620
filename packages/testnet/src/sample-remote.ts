/**
 * Serves folders as git repositories on a port of 127.0.0.1 until TERM; `perennial up --sample` runs it.
 *
 *     node sample-remote.ts <folder for repositories> <port> perennial/hello=<folder with the app>
 *
 * A folder whose content is as it was keeps its commit, so that the next start need not build again.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesOf, gitRemote, type Files } from './git-remote.ts'

const [folder = '', port = '', ...served] = process.argv.slice(2)
await using remote = await gitRemote({ folder, port: Number(port) })
for (const pair of served) {
  const [name = '', source = ''] = pair.split('=')
  const files = filesOf(source)
  const note = join(folder, `${name.replaceAll('/', '-')}.sha256`)
  const now = hashOf(files)
  if (existsSync(note) && readFileSync(note, 'utf8') === now && existsSync(remote.folder(name))) continue
  await remote.commit(name, files, `${name} as it ships with Perennial`)
  writeFileSync(note, now)
}
await new Promise((resolve) => process.once('SIGTERM', resolve))

function hashOf(files: Files): string {
  const hash = createHash('sha256')
  for (const path of Object.keys(files).toSorted()) hash.update(`${path}\0`).update(toBytes(files[path])).update('\0')
  return hash.digest('hex')
}

function toBytes(file: Files[string] | undefined): Uint8Array | string {
  return typeof file === 'string' || file instanceof Uint8Array ? file : JSON.stringify(file ?? null)
}
