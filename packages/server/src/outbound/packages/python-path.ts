/**
 * The paths of a Python package index (PEP 503, 691, 658) that the door answers, all below `PREFIX`: a project's
 * page, its files, a file's metadata.
 *
 *   /-/python/simple/six/       a name written another way leads here
 *   /-/python/files/six/six-1.16.0-py2.py3-none-any.whl       …whl.metadata
 */
export interface PythonPath {
  /** As PEP 503 normalises it. */
  readonly project: string
  /** Absent for the project's page. */
  readonly file?: string
  /** The address that the page should have been asked at, where it was not. */
  readonly moved?: string
}

/** No name of npm begins with a dash, so this is nobody's package. */
export const PREFIX = '/-/python/'
const MAX_PATH_LENGTH = 1024
const MAX_NAME_LENGTH = 214
const MAX_FILE_LENGTH = 255
const NAME = '[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?'
const PATH = new RegExp(`^${PREFIX}(?:simple/(${NAME})(/?)|files/(${NAME})/([A-Za-z0-9_][A-Za-z0-9_.+!%-]*))$`)
const FILE = /^[A-Za-z0-9_][A-Za-z0-9_.+!-]*\.(?:whl|tar\.gz|zip|tgz|tar\.bz2)$/

export function parsePythonPath(text: string): PythonPath | null {
  if (text.length > MAX_PATH_LENGTH) return null
  const [found, page, slash, of, escaped] = PATH.exec(text) ?? []
  if (found === undefined) return null
  const project = normalised(page ?? of ?? '')
  if (project.length > MAX_NAME_LENGTH) return null
  if (page !== undefined) return page === project && slash === '/' ? { project } : { project, moved: pagePath(project) }
  const file = (escaped ?? '').replaceAll(/%(2b|21)/gi, (_, code: string) => (code === '21' ? '!' : '+'))
  return isPythonFile(file.replace(/\.metadata$/, '')) ? { project, file } : null
}

export function isPythonFile(file: string): boolean {
  return file.length <= MAX_FILE_LENGTH && FILE.test(file)
}

/** PEP 503: `Foo.Bar__baz` and `foo-bar-baz` are one. */
export function normalised(name: string): string {
  return name.replaceAll(/[-_.]+/g, '-').toLowerCase()
}

export function pagePath(project: string): string {
  return `${PREFIX}simple/${project}/`
}
export function filePath(project: string, file: string): string {
  return `${PREFIX}files/${project}/${file}`
}
