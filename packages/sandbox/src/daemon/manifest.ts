/**
 * The list of a release's files, by which two builders find out where their releases differ:
 *
 *     100777 9f86d081884c7d65… 4096 bin/run
 *     120777 - 6 bin/link -> run
 *     040777 - 0 lib
 *
 * One line each, sorted by the bytes of the path: mode with type, SHA-256 of the contents, size, path. What is not a
 * visible ASCII character of a path, and the backslash, is written `\xNN`, so that blanks separate.
 *
 * It is made of the folder that is packed, not of the release, which takes three times as long to read; so it says what
 * packing makes of each file (`squash.ts`).
 *
 * A program of its own (`node manifest.ts FOLDER FILE`, and on standard input which paths alone, if not all), since
 * strangers decide how long it takes and how much it holds.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'

/** Of all lines together. */
const maxBytes = 128 * 2 ** 20
const buffer = Buffer.alloc(2 ** 20)
/** Every byte is one character, so that strings sort as bytes do, and names need not be UTF-8. */
const bytes = 'latin1'

/** `only`: paths below the folder, as Latin-1; the folders that lead to them are listed, too. */
export function manifestOf(folder: string, only?: readonly string[]): string {
  const lines = new Map<string, string>()
  let length = 0
  /** Whether it is a folder. */
  const add = (path: string): boolean => {
    const { line, isFolder } = describe(folder, path)
    if (line === undefined || lines.has(path)) return isFolder
    length += line.length
    if (length > maxBytes) throw new RangeError(`the names of all files together are longer than ${maxBytes} bytes`)
    lines.set(path, line)
    return isFolder
  }
  const walk = (below: string) => {
    const names = unlessTooDeep(() => readdirSync(Buffer.from(`${folder}/${below}`, bytes), { encoding: bytes }))
    for (const name of names ?? []) if (add(`${below}${name}`)) walk(`${below}${name}/`)
  }
  for (const path of only ?? []) {
    const parts = path.split('/')
    for (const index of parts.keys()) add(parts.slice(0, index + 1).join('/'))
    walk(`${path}/`)
  }
  if (!only) walk('')
  const sorted = [...lines].toSorted(([one], [other]) => (one < other ? -1 : 1))
  return sorted.map(([, line]) => line).join('')
}

/** No line for what is not packed. */
function describe(folder: string, path: string): { line?: string; isFolder: boolean } {
  const at = Buffer.from(`${folder}/${path}`, bytes)
  const found = unlessTooDeep(() => lstatSync(at))
  if (!found) return { isFolder: false }
  const { mode, size } = found
  const line = (...words: (string | number)[]) => `${words.join(' ')}\n`
  switch (mode & 0o170_000) {
    case 0o040_000:
      return { line: line('040777', '-', 0, escape(path)), isFolder: true }
    case 0o120_000: {
      const target = escape(readlinkSync(at, { encoding: bytes }))
      return { line: line('120777', '-', size, `${escape(path)} -> ${target}`), isFolder: false }
    }
    case 0o100_000:
      return { line: line(mode & 0o111 ? '100777' : '100666', sha256(at), size, escape(path)), isFolder: false }
    default:
      return { isFolder: false }
  }
}

/** What no path reaches is not packed either, and nothing that an app could use. */
function unlessTooDeep<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return undefined
    throw error
  }
}

function sha256(path: Buffer): string {
  const hash = createHash('sha256')
  const file = openSync(path, 'r')
  try {
    for (let left = fstatSync(file).size; left > 0;) {
      const read = readSync(file, buffer, 0, Math.min(left, buffer.length), null)
      if (read === 0) break
      hash.update(buffer.subarray(0, read))
      left -= read
    }
  } finally {
    closeSync(file)
  }
  return hash.digest('hex')
}

function escape(text: string): string {
  return text.replace(/[^\x21-\x7e]|\\/g, (odd) => `\\x${odd.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

if (import.meta.main) {
  const [folder = '', file = ''] = process.argv.slice(2)
  try {
    const only = readFileSync(0, bytes)
    writeFileSync(file, manifestOf(folder, only === '' ? undefined : only.split('\0')), {
      encoding: bytes,
      mode: 0o644,
    })
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
