/**
 * The list of a release's files, by which two builders find out where their releases differ:
 *
 *     100755 9f86d081884c7d65… 4096 bin/run
 *     120777 - 6 bin/link -> run
 *     040777 - 0 lib
 *
 * One line each, sorted by the bytes of the path: mode with type, SHA-256 of the contents, size, path. What is not a
 * visible ASCII character of a path, and the backslash, is written `\xNN`, so that blanks separate.
 *
 * A program of its own (`node manifest.ts FOLDER FILE`), since strangers decide how long it takes and how much it holds.
 */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, lstatSync, openSync, readSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'

/** Of all lines together. */
const maxBytes = 128 * 2 ** 20
const buffer = Buffer.alloc(2 ** 20)
/** Every byte is one character, so that strings sort as bytes do, and names need not be UTF-8. */
const bytes = 'latin1'

export function manifestOf(folder: string): string {
  const lines: { path: string; line: string }[] = []
  let length = 0
  const walk = (below: string) => {
    for (const name of readdirSync(Buffer.from(`${folder}/${below}`, bytes), { encoding: bytes })) {
      const path = `${below}${name}`
      const { line, isFolder } = describe(folder, path)
      length += line.length
      if (length > maxBytes) throw new RangeError(`the names of all files together are longer than ${maxBytes} bytes`)
      lines.push({ path, line })
      if (isFolder) walk(`${path}/`)
    }
  }
  walk('')
  lines.sort((one, other) => (one.path < other.path ? -1 : 1))
  return lines.map(({ line }) => line).join('')
}

function describe(folder: string, path: string): { line: string; isFolder: boolean } {
  const at = Buffer.from(`${folder}/${path}`, bytes)
  const { mode, size } = lstatSync(at)
  const type = mode & 0o170_000
  const isFolder = type === 0o040_000
  const isLink = type === 0o120_000
  const link = isLink ? ` -> ${escape(readlinkSync(at, { encoding: bytes }))}` : ''
  const hash = isFolder || isLink ? '-' : sha256(at)
  const words = [mode.toString(8).padStart(6, '0'), hash, isFolder ? 0 : size, `${escape(path)}${link}`]
  return { line: `${words.join(' ')}\n`, isFolder }
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
    writeFileSync(file, manifestOf(folder), { encoding: bytes, mode: 0o644 })
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
