/**
 * The node's secrets: one 0600 file each, outside PostgreSQL, so that no dump contains one.
 *
 * A key is made once, at the first start. Losing `node` gives the node another name, and what it promised can no
 * longer be held against it; losing `session` signs everybody out; losing `config` loses every app's secret settings.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fromHex, keyFromSeed, newSeed, toHex, type Key } from '@perennial/protocol'
import { Secret } from './diagnostics.ts'

export interface Keys {
  /** Signs what the node says; its public half is the node's name. */
  readonly node: Key
  /** Seals session cookies and nonce tokens. */
  readonly session: Secret<Uint8Array>
  /** Seals apps' secret settings. */
  readonly config: ConfigKey
}

/** A key that is replaced while values are sealed under it: in between there are two. */
export interface ConfigKey {
  /** The newest first. */
  readonly keys: readonly Secret<Uint8Array>[]
  /** Makes the next one, or finds the one that a kill left; answers both, the newest first. */
  begin(): Promise<readonly Secret<Uint8Array>[]>
  /** Nothing is sealed under the old one any more: it is gone. */
  finish(): Promise<readonly Secret<Uint8Array>[]>
}

export async function openKeys(folder: string): Promise<Keys> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return {
    node: await keyFromSeed(await readOrMake(join(folder, 'node'))),
    session: new Secret(await readOrMake(join(folder, 'session'))),
    config: await openConfigKey(folder),
  }
}

export async function openConfigKey(folder: string): Promise<ConfigKey> {
  const [path, next] = [join(folder, 'config'), join(folder, 'config.next')]
  let keys = [new Secret(await readOrMake(path))]
  const left = await readIfThere(next)
  if (left) keys = [new Secret(left), ...keys]
  return {
    get keys() {
      return keys
    },
    async begin() {
      if (keys.length === 1) keys = [new Secret(await readOrMake(next)), ...keys]
      return keys
    },
    async finish() {
      await rename(next, path)
      keys = keys.slice(0, 1)
      return keys
    },
  }
}

async function readOrMake(path: string): Promise<Uint8Array> {
  const found = await readIfThere(path)
  if (found) return found
  await make(path)
  return readOrMake(path)
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return undefined
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
