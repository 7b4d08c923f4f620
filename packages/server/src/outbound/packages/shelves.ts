/** Everything that the package door hands out, over one store: opened with the node, closed with it. */
import { mkdir, statfs } from 'node:fs/promises'
import type { Refusal } from '@perennial/protocol'
import type { Clock } from '../../clock.ts'
import type { Diagnostics } from '../../diagnostics.ts'
import type { Checked, Destination } from '../check.ts'
import { openDocuments } from './documents.ts'
import { openFiles } from './files.ts'
import { openNpm } from './npm.ts'
import { openPython } from './python.ts'
import { openReader } from './reader.ts'
import type { Shelves } from './send.ts'
import { openStore, type Store } from './store.ts'
import { openUpstream, UpstreamFailed, type Upstream, type UpstreamSettings } from './upstream.ts'

export interface OpenShelves extends Shelves {
  readonly store: Store
  close(): Promise<void>
}

export interface ShelvesOptions {
  readonly folder: string
  readonly clock: Clock
  readonly diagnostics: Diagnostics
  readonly check: (destination: Destination) => Promise<Checked | Refusal>
  readonly npm: UpstreamSettings
  /** Asked when the first build wants a Python package. */
  readonly python: () => Promise<UpstreamSettings>
  readonly maxBytes?: number
}

const MAX_BYTES = 8 * 2 ** 30
/** Of a small disk, packages take no more than this part of what is free. */
const PART_OF_FREE = 0.25

export async function openShelves(options: ShelvesOptions): Promise<OpenShelves> {
  const { folder, clock, diagnostics, check } = options
  await mkdir(folder, { recursive: true })
  const store = await openStore({
    folder,
    maxBytes: options.maxBytes ?? (await roomFor(folder)),
    clock,
    damaged: (path) => diagnostics.warn('a stored package was not what it should be and is fetched anew', { path }),
  })
  const reader = openReader()
  const opened: Upstream[] = []
  const registry = openUpstream(options.npm, check)
  opened.push(registry)
  const npmUpstream = async () => registry
  const pythonUpstream = lazily(async () => {
    const upstream = openUpstream(await options.python().catch(noIndex), check)
    opened.push(upstream)
    return upstream
  })
  const over = (upstream: () => Promise<Upstream>) => ({
    upstream,
    clock,
    documents: openDocuments({ store, reader, upstream, clock }),
    files: openFiles({ store, upstream, clock }),
  })
  return {
    store,
    npm: openNpm(over(npmUpstream)),
    python: openPython(over(pythonUpstream)),
    async close() {
      for (const upstream of opened) upstream.close()
      await reader.close()
    },
  }
}

function noIndex(cause: Error): never {
  throw new UpstreamFailed(`there is no Python package index here: ${cause.message}`, { cause })
}

async function roomFor(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.min(MAX_BYTES, Math.floor(bavail * bsize * PART_OF_FREE))
}

/** Made when first asked for; a failure is not kept. */
function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return async () => {
    made ??= make()
    try {
      return await made
    } catch (error) {
      made = undefined
      throw error
    }
  }
}
