/**
 * A package's document ("packument") as an npm registry gives it, checked and made ours.
 *
 *   { "name": "is-number", "dist-tags": { "latest": "7.0.0" }, "versions": { "7.0.0": {
 *       "dist": { "tarball": "https://…/is-number-7.0.0.tgz", "integrity": "sha512-…", "shasum": "7535345b…" } } } }
 *
 * Tarball addresses become ours, so that each download passes the door. A version without a digest is left out:
 * nothing could verify it. The short form (what installing needs) is made here: some registries know only the full.
 */
import { fromIntegrity, isDigest, type Digest } from './digest.ts'
import type { Listed } from './listing.ts'
import { MalformedDocument, ORIGIN } from './malformed.ts'
import { isNpmFile } from './npm-path.ts'

export interface NpmDocument {
  /** JSON in which every tarball lies below `ORIGIN`. */
  readonly text: string
  /** By file name. */
  readonly files: ReadonlyMap<string, Listed>
}

/** `short` has of each version what installing needs, `full` all. */
export type NpmForm = 'short' | 'full'

/** What npm's own registry has in the short form. */
const SHORT = new Set(['name', 'modified', 'dist-tags', 'versions'])
const SHORT_VERSION = new Set([
  '_hasShrinkwrap',
  'acceptDependencies',
  'bin',
  'bundleDependencies',
  'bundledDependencies',
  'cpu',
  'dependencies',
  'deprecated',
  'devDependencies',
  'devEngines',
  'directories',
  'dist',
  'engines',
  'funding',
  'hasInstallScript',
  'libc',
  'name',
  'optionalDependencies',
  'os',
  'peerDependencies',
  'peerDependenciesMeta',
  'version',
])
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall']

type Json = Record<string, unknown>

/** `name` is what was asked for: a document about another package is refused. */
export function readPackument(text: string, { name, form }: { name: string; form: NpmForm }): NpmDocument {
  const document = about(text, name)
  const versions = record(document['versions'])
  if (!versions) throw new MalformedDocument(`the registry's document of ${name} has no versions`)
  const files = new Map<string, Listed>()
  for (const key of Object.keys(versions)) {
    const version = record(versions[key])
    const file = version && takeVersion(version, name, files)
    if (!version || file === null) delete versions[key]
    else if (form === 'short') shorten(version)
  }
  if (form === 'short') {
    const time = record(document['time'])
    if (typeof time?.['modified'] === 'string') document['modified'] ??= time['modified']
    for (const key of Object.keys(document)) if (!SHORT.has(key)) delete document[key]
  }
  return { text: JSON.stringify(document), files }
}

/** The document of one version, which some registries give alone. */
export function readVersion(text: string, name: string): NpmDocument & { readonly version: string } {
  const document = about(text, name)
  const files = new Map<string, Listed>()
  const { version } = document
  if (typeof version !== 'string' || takeVersion(document, name, files) === null)
    throw new MalformedDocument(`the registry's document of one version of ${name} names no file that can be verified`)
  return { text: JSON.stringify(document), files, version }
}

/** Notes its tarball in `files` and makes its address ours; null if there is none that can be verified. */
function takeVersion(version: Json, name: string, files: Map<string, Listed>): string | null {
  const dist = record(version['dist'])
  const digest = dist && digestOf(dist)
  const url = dist?.['tarball']
  if (!dist || !digest || typeof url !== 'string') return null
  const file = url.slice(url.lastIndexOf('/') + 1)
  const href = URL.parse(url)?.href
  if (!isNpmFile(file) || href === undefined) return null
  dist['tarball'] = `${ORIGIN}/${name}/-/${file}`
  files.set(file, { url: href, digest: digest.algorithm === 'sha1' ? { ...digest, of: `${name}/-/${file}` } : digest })
  return file
}

function shorten(version: Json): void {
  const scripts = record(version['scripts'])
  if (scripts && INSTALL_SCRIPTS.some((script) => script in scripts)) version['hasInstallScript'] ??= true
  for (const key of Object.keys(version)) if (!SHORT_VERSION.has(key)) delete version[key]
}

/** SHA-1 only for packages older than better ones in the registry. */
function digestOf({ integrity, shasum }: Json): Digest | null {
  const found = typeof integrity === 'string' ? fromIntegrity(integrity) : null
  if (found) return found
  return typeof shasum === 'string' && isDigest('sha1', shasum) ? { algorithm: 'sha1', hex: shasum } : null
}

function about(text: string, name: string): Json {
  let document: Json | null
  try {
    document = record(JSON.parse(text))
  } catch {
    throw new MalformedDocument('the registry answered with something that is not JSON')
  }
  if (!document || document['name'] !== name)
    throw new MalformedDocument(`the registry's document is not about ${name}`)
  return document
}

function record(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null
}
