/**
 * A project's page of a Python package index, HTML (PEP 503, 592, 658) or JSON (PEP 691, 700), checked and made ours
 * in both forms, whichever came.
 *
 *   <a href="https://…/six-1.16.0-py2.py3-none-any.whl#sha256=8abb2f…" data-requires-python="&gt;=2.7">six-1.16.0…</a>
 *   {"meta":{"api-version":"1.1"},"name":"six","files":[{"filename":"six-1.16.0…","url":"…","hashes":{"sha256":"…"}}]}
 *
 * File addresses become ours. A file without a SHA-2 hash is left out: nothing could verify it.
 */
import { isDigest, type Algorithm, type Digest } from './digest.ts'
import type { Listed } from './listing.ts'
import { MalformedDocument, ORIGIN } from './malformed.ts'
import { formatHtml, formatJson, type PythonFile } from './python-forms.ts'
import { anchors } from './python-html.ts'
import { filePath, isPythonFile, normalised } from './python-path.ts'

export interface PythonDocument {
  readonly texts: { readonly json: string; readonly html: string }
  readonly files: ReadonlyMap<string, Listed>
}

/** The largest projects have some ten thousand. */
const MOST_FILES = 200_000
const MAX_TEXT_LENGTH = 1024
const MAX_HREF_LENGTH = 4096

export function readProject(
  text: string,
  page: { readonly project: string; readonly url: string; readonly contentType: string },
): PythonDocument {
  const json = /^application\/(?:vnd\.pypi\.simple\.v1\+)?json\b/i.test(page.contentType)
  const found = json ? fromJson(text, page) : fromHtml(text, page)
  const files = new Map<string, Listed>()
  const kept: PythonFile[] = []
  for (const file of found) {
    const digest = strongest(file.hashes)
    const url = URL.parse(file.url)
    if (!digest || !url || !isPythonFile(file.filename) || files.has(file.filename)) continue
    url.hash = ''
    files.set(file.filename, { digest, url: url.href })
    const metadata = strongest(file['core-metadata'] ?? {})
    if (metadata) {
      const beside = new URL(url)
      beside.pathname += '.metadata'
      files.set(`${file.filename}.metadata`, { digest: metadata, url: beside.href })
    }
    kept.push(ours(file, page.project, { digest, metadata }))
    if (kept.length > MOST_FILES) throw new MalformedDocument(`the index lists more than ${MOST_FILES} files`)
  }
  return { texts: { json: formatJson(page.project, kept), html: formatHtml(page.project, kept) }, files }
}

function ours(
  file: PythonFile,
  project: string,
  { digest, metadata }: { digest: Digest; metadata: Digest | null },
): PythonFile {
  const { 'core-metadata': _, ...rest } = file
  return {
    ...rest,
    url: ORIGIN + filePath(project, file.filename),
    hashes: { [digest.algorithm]: digest.hex },
    ...(metadata && { 'core-metadata': { [metadata.algorithm]: metadata.hex } }),
  }
}

function fromJson(text: string, { project, url }: { project: string; url: string }): PythonFile[] {
  let page: Record<string, unknown> | null
  try {
    page = record(JSON.parse(text))
  } catch {
    throw new MalformedDocument('the index answered with something that is not JSON')
  }
  const name = page?.['name']
  if (!page || typeof name !== 'string' || normalised(name.slice(0, MAX_TEXT_LENGTH)) !== project)
    throw new MalformedDocument(`the index's page is not about ${project}`)
  refuseOther(record(page['meta'])?.['api-version'])
  const files = Array.isArray(page['files']) ? (page['files'] as unknown[]) : []
  return files.flatMap((each): PythonFile[] => {
    const file = record(each)
    if (!file) return []
    const filename = short(file['filename'])
    const href = absolute(short(file['url'], MAX_HREF_LENGTH), url)
    if (filename === undefined || href === undefined) return []
    const requires = short(file['requires-python'])
    const uploaded = short(file['upload-time'])
    const { yanked, size } = file
    return [
      {
        filename,
        url: href,
        hashes: hashes(file['hashes']),
        'core-metadata': hashes(file['core-metadata'] ?? file['dist-info-metadata']),
        ...(requires !== undefined && { 'requires-python': requires }),
        ...(uploaded !== undefined && { 'upload-time': uploaded }),
        ...(Number.isSafeInteger(size) && (size as number) >= 0 && { size: size as number }),
        ...(yanked === true && { yanked }),
        ...(typeof yanked === 'string' && { yanked: yanked.slice(0, MAX_TEXT_LENGTH) }),
      },
    ]
  })
}

function fromHtml(text: string, { url }: { url: string }): PythonFile[] {
  const page = anchors(text)
  refuseOther(page.version)
  const base = absolute(page.base, url) ?? url
  return page.anchors.flatMap((attributes): PythonFile[] => {
    const href = absolute(attributes.get('href')?.slice(0, MAX_HREF_LENGTH), base)
    if (href === undefined) return []
    const [address = '', fragment = ''] = href.split('#')
    const requires = short(attributes.get('data-requires-python'))
    const yanked = attributes.get('data-yanked')?.slice(0, MAX_TEXT_LENGTH)
    return [
      {
        filename: decoded(address.slice(address.lastIndexOf('/') + 1).split('?')[0] ?? ''),
        url: address,
        hashes: fromFragment(fragment),
        'core-metadata': fromFragment(
          attributes.get('data-core-metadata') ?? attributes.get('data-dist-info-metadata') ?? '',
        ),
        ...(requires !== undefined && { 'requires-python': requires }),
        ...(yanked !== undefined && { yanked: yanked === '' ? true : yanked }),
      },
    ]
  })
}

/** A page of another major version may mean other things by the same words (PEP 629). */
function refuseOther(version: unknown): void {
  if (typeof version === 'string' && !/^1(?:\.|$)/.test(version))
    throw new MalformedDocument(`the index answers in version ${version.slice(0, 20)} of the simple API, not in 1`)
}

function strongest(all: Readonly<Record<string, string>>): Digest | null {
  for (const algorithm of ['sha256', 'sha512', 'sha384'] as const) {
    const hex = all[algorithm]
    if (hex !== undefined && isDigest(algorithm, hex)) return { algorithm, hex }
  }
  return null
}

/** `sha256=<hex>`, possibly among others. */
function fromFragment(text: string): Record<string, string> {
  const [, algorithm, hex] =
    /(?:^|&)(sha256|sha384|sha512)=([0-9a-fA-F]{64,128})(?:&|$)/.exec(text.slice(0, 1024)) ?? []
  return algorithm === undefined || hex === undefined ? {} : { [algorithm]: hex.toLowerCase() }
}

function hashes(value: unknown): Record<string, string> {
  const all = record(value)
  const found: Record<string, string> = {}
  for (const algorithm of ['sha256', 'sha384', 'sha512'] satisfies Algorithm[]) {
    const hex = all?.[algorithm]
    if (typeof hex === 'string' && hex.length <= 128) found[algorithm] = hex.toLowerCase()
  }
  return found
}

function absolute(href: string | undefined, base: string): string | undefined {
  return href === undefined ? undefined : URL.parse(href, base)?.href
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function short(value: unknown, most = MAX_TEXT_LENGTH): string | undefined {
  return typeof value === 'string' && value.length <= most ? value : undefined
}

function record(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null
}
