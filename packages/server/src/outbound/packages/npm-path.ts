/**
 * The paths of an npm registry that the door answers: a package's document, one version of it, its tarballs.
 *
 *   /is-number             /@types%2fnode             /@types/node
 *   /is-number/7.0.0       /@types%2fnode/latest      a version or a tag
 *   /is-number/-/is-number-7.0.0.tgz                  /@types/node/-/node-26.0.0.tgz
 *   /@types/node/-/@types/node-26.0.0.tgz             as some registries write it
 *
 * Names are npm's own rule narrowed to what cannot be mistaken for another path: no dot or dash in front, no
 * escapes but the scope's `%2f` and a version's `%2b`, no query.
 */
export interface NpmPath {
  /** `is-number` or `@types/node`. */
  readonly name: string
  readonly version?: string
  readonly file?: string
}

const MAX_PATH_LENGTH = 512
const MAX_NAME_LENGTH = 214
const MAX_FILE_LENGTH = 255
const WORD = '[A-Za-z0-9_~][A-Za-z0-9._~-]*'
const FILE = /^[A-Za-z0-9_~][A-Za-z0-9._~+-]*\.tgz$/
const PATH = new RegExp(
  `^/((?:@${WORD}(?:/|%2[fF]))?${WORD})(?:/-/(?:@${WORD}/)?([A-Za-z0-9_~][A-Za-z0-9._~+-]*\\.tgz)|/([A-Za-z0-9_][A-Za-z0-9._+%-]*))?$`,
)

export function parseNpmPath(text: string): NpmPath | null {
  if (text.length > MAX_PATH_LENGTH) return null
  const parts = PATH.exec(text)
  if (!parts) return null
  const name = (parts[1] ?? '').replace(/%2f/i, '/')
  const [, , file, escaped] = parts
  if (name.length > MAX_NAME_LENGTH || (file !== undefined && !isNpmFile(file))) return null
  if (file !== undefined) return { name, file }
  if (escaped === undefined) return { name }
  const version = escaped.replaceAll(/%2b/gi, '+')
  return version.includes('%') ? null : { name, version }
}

export function isNpmFile(file: string): boolean {
  return file.length <= MAX_FILE_LENGTH && FILE.test(file)
}

/** Where a registry keeps the document of `name`, or of one version, relative to it. */
export function documentPath(name: string, version?: string): string {
  const path = `./${name.replace('/', '%2f')}`
  return version === undefined ? path : `${path}/${encodeURIComponent(version)}`
}

/** The version that a tarball's usual name says, `node-26.0.0.tgz` of `@types/node`; null for an unusual one. */
export function versionOf(name: string, file: string): string | null {
  const prefix = `${name.slice(name.indexOf('/') + 1)}-`
  return file.startsWith(prefix) ? file.slice(prefix.length, -'.tgz'.length) : null
}
