/**
 * As much of HTML as the pages of a Python package index use: `<a>` with its attributes, `<base>`, one `<meta>`.
 *
 * One pass, each character looked at a bounded number of times, whatever the page holds.
 */
export interface Page {
  readonly anchors: readonly ReadonlyMap<string, string>[]
  readonly base: string | undefined
  /** Of `<meta name="pypi:repository-version" content="1.0">`. */
  readonly version: string | undefined
}

const MOST_ANCHORS = 200_000
const MAX_TAG_LENGTH = 16_384
const TAG = /<!--|<(a|base|meta)(?=[\s/>])/gi
const ATTRIBUTE = /[\s/]*([^\s=/>"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?/y

export function anchors(text: string): Page {
  const found: ReadonlyMap<string, string>[] = []
  let base: string | undefined
  let version: string | undefined
  TAG.lastIndex = 0
  for (let match = TAG.exec(text); match && found.length < MOST_ANCHORS; match = TAG.exec(text)) {
    const name = match[1]?.toLowerCase()
    if (name === undefined) {
      const end = text.indexOf('-->', match.index + 4)
      if (end < 0) break // The rest is a comment.
      TAG.lastIndex = end + 3
      continue
    }
    const from = TAG.lastIndex
    const { attributes, length } = attributesOf(text.slice(from, from + MAX_TAG_LENGTH))
    TAG.lastIndex = from + length
    if (name === 'a') found.push(attributes)
    else if (name === 'base') base ??= attributes.get('href')
    else if (attributes.get('name') === 'pypi:repository-version') version ??= attributes.get('content')
  }
  return { anchors: found, base, version }
}

/** Up to the first `>` outside quotes, or as far as it can be read. */
function attributesOf(tag: string): { attributes: ReadonlyMap<string, string>; length: number } {
  const attributes = new Map<string, string>()
  ATTRIBUTE.lastIndex = 0
  let length = 0
  for (let match = ATTRIBUTE.exec(tag); match; match = ATTRIBUTE.exec(tag)) {
    const [, name = '', double, single, bare] = match
    if (!attributes.has(name.toLowerCase()))
      attributes.set(name.toLowerCase(), unescaped(double ?? single ?? bare ?? ''))
    length = ATTRIBUTE.lastIndex
  }
  return { attributes, length }
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescaped(text: string): string {
  if (!text.includes('&')) return text
  return text.replaceAll(/&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|([a-z]{2,4}));/g, (all, hex, decimal, name) => {
    if (name !== undefined) return NAMED[name as string] ?? all
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex as string, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : all
  })
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
