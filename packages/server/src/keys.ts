/**
 * The node's secrets: one 0600 file each, outside PostgreSQL, so that no dump contains one.
 *
 * A key is made once, at the first start. Losing `node` gives the node another name, and what it promised can no
 * longer be held against it; losing `session` signs everybody out.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fromHex, keyFromSeed, newSeed, toHex, type Key } from '@perennial/protocol'
import { Secret } from './diagnostics.ts'

export interface Keys {
  /** Signs what the node says; its public half is the node's name. */
  readonly node: Key
  /** Seals session cookies and nonce tokens. */
  readonly session: Secret<Uint8Array>
}

export async function openKeys(folder: string): Promise<Keys> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return {
    node: await keyFromSeed(await readOrMake(join(folder, 'node'))),
    session: new Secret(await readOrMake(join(folder, 'session'))),
  }
}

async function readOrMake(path: string): Promise<Uint8Array> {
  const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) {
    await make(path)
    return readOrMake(path)
  }
  if (((await stat(path)).mode & 0o077) !== 0)
    throw new Error(`${path} can be read by others; if nobody did, run: chmod 600 ${path}`)
  if (!/^[0-9a-f]{64}\n$/.test(found)) throw new Error(`${path} is not a key (64 hex digits); restore it from a backup`)
  return fromHex(found.trim())
}

/** Written whole under a name of its own and linked: two starters agree on one key, a kill leaves none or a whole one. */
async function make(path: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(`${toHex(newSeed())}\n`)
    await file.sync()
    await link(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await file.close()
    await rm(draft)
  }
}
