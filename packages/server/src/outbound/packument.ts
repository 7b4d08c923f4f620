/**
 * A package's document ("packument") as the registry gives it, checked and made ours.
 *
 *   { "name": "is-number", "dist-tags": { "latest": "7.0.0" }, "versions": { "7.0.0": {
 *       "dist": { "tarball": "https://…/is-number-7.0.0.tgz", "integrity": "sha512-…", "shasum": "7535345b…" } } } }
 *
 * Tarball addresses become ours, so that each download passes the door. A version without a digest is left out:
 * nothing could verify it.
 */
import { parsePackagePath } from './package-path.ts'

export interface Digest {
  readonly algorithm: 'sha512' | 'sha1'
  readonly hex: string
}
export interface Tarball {
  /** Where the registry says it is. */
  readonly url: string
  readonly digest: Digest
}
export interface Packument {
  /** JSON in which every tarball lies below `ORIGIN`. */
  readonly text: string
  /** By file name. */
  readonly tarballs: ReadonlyMap<string, Tarball>
}

/** Stands for the door's own origin in stored documents: its port changes with each start. */
export const ORIGIN = 'http://door.invalid'

export class MalformedPackument extends Error {
  override readonly name = 'MalformedPackument'
}

/** `name` is what was asked for: a document about another package is refused. */
export function parsePackument(text: string, name: string): Packument {
  const document = record(parse(text))
  if (!document || document['name'] !== name)
    throw new MalformedPackument(`the registry's document is not about ${name}`)
  const versions = record(document['versions'])
  if (!versions) throw new MalformedPackument(`the registry's document of ${name} has no versions`)
  const tarballs = new Map<string, Tarball>()
  for (const version of Object.keys(versions)) {
    const dist = record(record(versions[version])?.['dist'])
    const digest = dist && digestOf(dist)
    const url = dist?.['tarball']
    const file = typeof url === 'string' ? url.slice(url.lastIndexOf('/') + 1) : ''
    if (!dist || !digest || typeof url !== 'string' || parsePackagePath(`/${name}/-/${file}`)?.file !== file) {
      delete versions[version]
      continue
    }
    dist['tarball'] = `${ORIGIN}/${name}/-/${file}`
    tarballs.set(file, { url, digest })
  }
  return { text: JSON.stringify(document), tarballs }
}

/** The stored form of `tarballs` beside a stored `text`. */
export function formatTarballs(tarballs: ReadonlyMap<string, Tarball>): string {
  return JSON.stringify([...tarballs])
}
export function parseTarballs(text: string): ReadonlyMap<string, Tarball> {
  return new Map(JSON.parse(text) as [string, Tarball][])
}

/** The strongest digest of a `dist`; sha1 only for packages older than sha512 in the registry. */
function digestOf(dist: Record<string, unknown>): Digest | null {
  const { integrity, shasum } = dist
  if (typeof integrity === 'string') {
    for (const part of integrity.slice(0, 1024).split(/\s+/)) {
      const found = /^sha512-([A-Za-z0-9+/]{86}==)(?:\?.*)?$/.exec(part)?.[1]
      if (found !== undefined) return { algorithm: 'sha512', hex: Buffer.from(found, 'base64').toString('hex') }
    }
  }
  return typeof shasum === 'string' && /^[0-9a-f]{40}$/.test(shasum) ? { algorithm: 'sha1', hex: shasum } : null
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new MalformedPackument('the registry answered with something that is not JSON')
  }
}

function record(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null
}
