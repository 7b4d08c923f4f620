/**
 * npm's packages: documents in both forms, single versions, tarballs.
 *
 * `npm ci` asks for tarballs alone. Their hash is then asked of the one version's document, which is some thousand
 * times shorter than the whole package's; a registry that has no such documents is asked for the whole.
 */
import type { Clock } from '../../clock.ts'
import { type Document, type Documents, type Wanted } from './documents.ts'
import { FACT_MS, type Fact, type Files } from './files.ts'
import type { Listed } from './listing.ts'
import { MalformedDocument } from './malformed.ts'
import { readVersion, type NpmForm } from './npm-document.ts'
import { documentPath, versionOf } from './npm-path.ts'
import { paid, REQUEST_BYTES, type Payer } from './payer.ts'
import type { Held } from './store.ts'
import { UpstreamFailed, type Upstream } from './upstream.ts'

export interface Npm {
  document(name: string, form: NpmForm, payer: Payer): Promise<Text | null>
  /** `version` may be a tag. */
  version(name: string, version: string, payer: Payer): Promise<Text | null>
  tarball(name: string, file: string, payer: Payer): Promise<Held | null>
}

/** A text as it is sent, and the name of its state. */
export interface Text {
  readonly held: Held
  readonly etag: string
}

export interface NpmDeps {
  readonly documents: Documents
  readonly files: Files
  readonly upstream: () => Promise<Upstream>
  readonly clock: Clock
}

const ACCEPT: Record<NpmForm, string> = {
  short: 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8',
  full: 'application/json',
}
export const MAX_TARBALL_BYTES = 256 * 2 ** 20
const MAX_VERSION_BYTES = 2 ** 20
const VERSION_TIMEOUT_MS = 30_000

export function openNpm({ documents, files, upstream, clock }: NpmDeps): Npm {
  const wholeOf = (name: string, form: NpmForm): Wanted => ({
    kind: form === 'short' ? 'npm-short' : 'npm-full',
    name,
    path: documentPath(name),
    accept: ACCEPT[form],
  })

  async function text(wanted: Wanted, payer: Payer): Promise<Text | null> {
    return await openText(documents, { wanted, form: 'json' }, payer)
  }

  async function factOf(name: string, file: string, payer: Payer): Promise<Fact | null> {
    for (const form of ['short', 'full'] as const) {
      const wanted = wholeOf(name, form)
      const document = await documents.kept(wanted)
      if (document && clock.now().getTime() - document.fetchedMs < FACT_MS) {
        const found = await find(document, wanted, file)
        if (found) return found
      }
    }
    const alone = await askVersion(name, file, payer)
    if (alone) return alone
    const wanted = wholeOf(name, 'short')
    const document = await documents.get(wanted, payer)
    return document && (await find(document, wanted, file))
  }

  async function find(document: Document, wanted: Wanted, file: string): Promise<Fact | null> {
    const listed = await documents.find(document, wanted, file)
    return listed && { ...listed, knownMs: document.fetchedMs }
  }

  /** Null if the file's name says no version, or the registry has no document that lists it so. */
  async function askVersion(name: string, file: string, payer: Payer): Promise<Fact | null> {
    const version = versionOf(name, file)
    if (version === null) return null
    payer.fetched(REQUEST_BYTES)
    const answer = await (
      await upstream()
    ).get(documentPath(name, version), { accept: ACCEPT.full, timeoutMs: VERSION_TIMEOUT_MS, packed: true })
    if (answer.status !== 200) {
      answer.drop()
      if (answer.status >= 500) throw new UpstreamFailed(`the registry answered ${answer.status} for ${file}`)
      return null
    }
    const chunks: Buffer[] = []
    for await (const chunk of paid(answer.chunks(MAX_VERSION_BYTES), payer)) chunks.push(chunk)
    try {
      const found = readVersion(Buffer.concat(chunks).toString('utf8'), name)
      const listed = found.version === version ? found.files.get(file) : undefined
      return listed ? { ...listed, knownMs: clock.now().getTime() } : null
    } catch (error) {
      if (error instanceof MalformedDocument) return null
      throw error
    }
  }

  return {
    document: (name, form, payer) => text(wholeOf(name, form), payer),
    version: (name, version, payer) =>
      text({ kind: 'npm-version', name, path: documentPath(name, version), accept: ACCEPT.full }, payer),
    tarball: (name, file, payer) =>
      files.open(
        {
          key: `npm ${name}/-/${file}`,
          file,
          maxBytes: MAX_TARBALL_BYTES,
          ask: (by) => factOf(name, file, by),
          urlOf: tarballUrl,
        },
        payer,
      ),
  }
}

/** Asked once more if what was kept turned out to be damaged. */
export async function openText(
  documents: Documents,
  { wanted, form }: { wanted: Wanted; form: string },
  payer: Payer,
): Promise<Text | null> {
  for (let tries = 0; ; tries++) {
    const document = await documents.get(wanted, payer)
    if (!document) return null
    const held = await documents.open(document, form)
    if (held) return { held, etag: `"${(document.texts[form] ?? '').slice(0, 32)}"` }
    if (tries > 0) throw new UpstreamFailed(`the document of ${wanted.name} was lost on its way; ask again`)
  }
}

/** The registry may name itself by another scheme or host (a mirror does): the path is taken, the origin is ours. */
function tarballUrl({ url }: Listed, { url: registry }: Upstream): URL {
  // Set, not resolved: a path that begins with `//` would name another host.
  const at = new URL(registry)
  at.pathname = new URL(url).pathname
  return at
}
