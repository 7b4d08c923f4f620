/**
 * Documents of registries, kept for some minutes, then asked for again by ETag; older ones while the registry is away.
 *
 * What is kept of one: a note (when it came, its ETag, the hashes of its files) and, below those hashes, its texts as
 * the door sends them and the listing of its files. If any of them is gone, it is as if nothing was kept.
 */
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Clock } from '../../clock.ts'
import type { Digest } from './digest.ts'
import { findListed, type Listed } from './listing.ts'
import { TooCostly } from './malformed.ts'
import { Once } from './once.ts'
import { paid, REQUEST_BYTES, type Payer } from './payer.ts'
import type { Reader } from './reader.ts'
import type { Job } from './reading.ts'
import { Remembered } from './remembered.ts'
import type { Held, Store } from './store.ts'
import { UpstreamFailed, type Answer, type Upstream } from './upstream.ts'

/** Which document, and how it is asked for. */
export interface Wanted {
  readonly kind: Job['kind']
  /** The package's or project's. */
  readonly name: string
  readonly path: string
  readonly accept: string
}

export interface Document {
  readonly fetchedMs: number
  readonly etag?: string | undefined
  /** SHA-256 of each form of the text. */
  readonly texts: Readonly<Record<string, string>>
  readonly listing: string
}

export interface Documents {
  /** Null if the registry has none. */
  get(wanted: Wanted, payer: Payer): Promise<Document | null>
  /** Whatever is kept, however old. */
  kept(wanted: Wanted): Promise<Document | null>
  /** A text of the document, checked; null if it was lost since. */
  open(document: Document, form: string): Promise<Held | null>
  /** One file of the document's listing. */
  find(document: Document, wanted: Wanted, file: string): Promise<Listed | null>
}

export interface DocumentsDeps {
  readonly store: Store
  readonly reader: Reader
  readonly upstream: () => Promise<Upstream>
  readonly clock: Clock
}

const FRESH_MS = 5 * 60_000
const TIMEOUT_MS = 120_000
export const MAX_DOCUMENT_BYTES = 64 * 2 ** 20
const REMEMBERED = 2000

export function openDocuments({ store, reader, upstream, clock }: DocumentsDeps): Documents {
  const once = new Once<Document | null>()
  const remembered = new Remembered<Document>(REMEMBERED)
  /** When the registry said that there is none. */
  const missing = new Remembered<number>(REMEMBERED)
  /** Which ones could not be read for what that costs, and when. */
  const costly = new Remembered<{ readonly atMs: number; readonly error: TooCostly }>(REMEMBERED)
  const isFresh = (atMs: number | undefined) => atMs !== undefined && clock.now().getTime() - atMs < FRESH_MS
  const keyOf = ({ kind, path }: Wanted) => `document ${kind} ${path}`

  async function kept(wanted: Wanted): Promise<Document | null> {
    const key = keyOf(wanted)
    let document = remembered.get(key)
    if (!document) {
      const note = await store.note(key)
      if (note === null) return null
      document = remembered.set(key, JSON.parse(note) as Document)
    }
    return [...Object.values(document.texts), document.listing].every((hex) => store.has(named(hex))) ? document : null
  }

  async function get(wanted: Wanted, payer: Payer): Promise<Document | null> {
    const key = keyOf(wanted)
    const known = await kept(wanted)
    if (known && isFresh(known.fetchedMs)) return known
    if (isFresh(missing.get(key))) return null
    const cost = costly.get(key)
    if (cost && isFresh(cost.atMs)) throw cost.error
    return await once.run(key, () =>
      fetchDocument(wanted, { known, payer }).catch((error: unknown) => {
        if (known && error instanceof UpstreamFailed) return known // Old beats none: versions never change.
        if (error instanceof TooCostly) costly.set(key, { atMs: clock.now().getTime(), error })
        throw error
      }),
    )
  }

  async function fetchDocument(
    wanted: Wanted,
    { known, payer }: { known: Document | null; payer: Payer },
  ): Promise<Document | null> {
    payer.fetched(REQUEST_BYTES)
    const answer = await (
      await upstream()
    ).get(wanted.path, { accept: wanted.accept, timeoutMs: TIMEOUT_MS, packed: true, ifNoneMatch: known?.etag })
    const fetchedMs = clock.now().getTime()
    if (answer.status !== 200) answer.drop()
    if (answer.status === 304 && known) return await keep(wanted, { ...known, fetchedMs })
    if (answer.status === 404) {
      missing.set(keyOf(wanted), fetchedMs)
      return null
    }
    if (answer.status !== 200) throw new UpstreamFailed(`the registry answered ${answer.status} for ${wanted.name}`)
    return await keep(wanted, { ...(await take(wanted, answer, payer)), fetchedMs, etag: answer.etag })
  }

  async function take(wanted: Wanted, answer: Answer, payer: Payer): Promise<Pick<Document, 'texts' | 'listing'>> {
    const path = store.incoming()
    const out = [store.incoming(), store.incoming(), store.incoming()] as const
    try {
      await pipeline(paid(answer.chunks(MAX_DOCUMENT_BYTES), payer), createWriteStream(path, { flags: 'wx' }))
      const { kind, name } = wanted
      const made = await reader.read({ kind, name, path, out, url: answer.url.href, contentType: answer.contentType })
      for (const { path: from, hex, sizeBytes } of [made.listing, ...Object.values(made.texts)])
        await store.adopt(from, { digest: named(hex), sizeBytes })
      return {
        listing: made.listing.hex,
        texts: Object.fromEntries(Object.entries(made.texts).map(([form, { hex }]) => [form, hex])),
      }
    } catch (error) {
      for (const each of out) await rm(each, { force: true })
      throw error
    } finally {
      await rm(path, { force: true })
    }
  }

  async function keep(wanted: Wanted, document: Document): Promise<Document> {
    await store.keepNote(keyOf(wanted), JSON.stringify(document))
    return remembered.set(keyOf(wanted), document)
  }

  return {
    get,
    kept,
    open: async (document, form) => await store.open(named(document.texts[form] ?? '')),
    async find(document, { name }, file) {
      await using listing = await store.open(named(document.listing))
      if (!listing) return null
      const chunks: Buffer[] = []
      for await (const chunk of listing.chunks()) chunks.push(chunk)
      return findListed(Buffer.concat(chunks), file, name)
    },
  }
}

function named(hex: string): Digest {
  return { algorithm: 'sha256', hex }
}
