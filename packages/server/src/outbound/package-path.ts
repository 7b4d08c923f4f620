/**
 * The paths that the package door answers: a package's document and its tarballs, nothing else.
 *
 *   /is-number                      /@types%2fnode          /@types/node
 *   /is-number/-/is-number-7.0.0.tgz                        /@types/node/-/node-26.0.0.tgz
 *
 * Names are npm's own rule narrowed to what cannot be mistaken for another path: no dot or dash in front, no
 * escapes but the scope's `%2f`, no query.
 */
export interface PackagePath {
  /** `is-number` or `@types/node`. */
  readonly name: string
  /** Absent for the package's document. */
  readonly file?: string
}

const MAX_PATH_LENGTH = 512
const MAX_NAME_LENGTH = 214
const WORD = '[A-Za-z0-9_~][A-Za-z0-9._~-]*'
const PATH = new RegExp(`^/((?:@${WORD}(?:/|%2[fF]))?${WORD})(?:/-/([A-Za-z0-9_~][A-Za-z0-9._~+-]*\\.tgz))?$`)

export function parsePackagePath(text: string): PackagePath | null {
  if (text.length > MAX_PATH_LENGTH) return null
  const parts = PATH.exec(text)
  if (!parts) return null
  const name = (parts[1] ?? '').replace(/%2f/i, '/')
  if (name.length > MAX_NAME_LENGTH) return null
  return parts[2] === undefined ? { name } : { name, file: parts[2] }
}

/** Where a registry keeps the document of `name`, relative to it. */
export function documentPath(name: string): string {
  return `./${name.replace('/', '%2f')}`
}
