/**
 * The files that pages need: one sheet, one script, three fonts, the mark. Read once at start, served under the
 * hash of what they hold, so that a browser may keep them for a year and never has an old one.
 *
 * Fonts are the Latin files of three OFL-1.1 families; their licences lie beside them and are served too.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface Asset {
  readonly path: string
  readonly type: string
  readonly bytes: Buffer<ArrayBuffer>
}

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  woff2: 'font/woff2',
}
const FONTS = ['source-serif-4.woff2', 'source-sans-3.woff2', 'atkinson-hyperlegible-mono.woff2'] as const
const PLAIN = [...FONTS, ...FONTS.map((font) => font.replace('.woff2', '.LICENSE.txt')), 'mark.svg', 'live.js']

const byName = new Map<string, Asset>()
for (const name of PLAIN) keep(name, read(name))
// The sheet names fonts plainly; as served it names them by hash.
keep(
  'style.css',
  Buffer.from(
    FONTS.reduce((css, font) => css.replace(font, asset(font).slice('/assets/'.length)), read('style.css').toString()),
  ),
)
const byPath = new Map([...byName.values()].map((found) => [found.path, found]))

/** The path of an asset of ours; a name that does not exist is a bug. */
export function asset(name: string): string {
  const found = byName.get(name)
  if (!found) throw new Error(`there is no asset ${name}`)
  return found.path
}

export function findAsset(path: string): Asset | undefined {
  return byPath.get(path)
}

function read(name: string): Buffer<ArrayBuffer> {
  return readFileSync(new URL(`assets/${name}`, import.meta.url))
}

function keep(name: string, bytes: Buffer<ArrayBuffer>): void {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12)
  const type = TYPES[name.split('.').at(-1)!]!
  byName.set(name, { path: `/assets/${hash}-${name}`, type, bytes })
}
