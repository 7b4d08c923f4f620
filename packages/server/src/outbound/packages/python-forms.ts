/** A project's page as the door sends it: JSON (PEP 691) and HTML (PEP 503), of the same files. */
import { escapeHtml } from './python-html.ts'

/** One file of a page, as PEP 691 writes it; of what a stranger wrote, strings of these fields alone are taken. */
export interface PythonFile {
  readonly filename: string
  readonly url: string
  readonly hashes: Readonly<Record<string, string>>
  readonly 'requires-python'?: string
  readonly yanked?: string | boolean
  readonly 'core-metadata'?: Readonly<Record<string, string>>
  readonly size?: number
  readonly 'upload-time'?: string
}

export function formatJson(project: string, files: readonly PythonFile[]): string {
  return JSON.stringify({ meta: { 'api-version': '1.0' }, name: project, files })
}

export function formatHtml(project: string, files: readonly PythonFile[]): string {
  const lines = files.map((file) => {
    const [[algorithm, hex] = []] = Object.entries(file.hashes)
    const [metadata] = Object.entries(file['core-metadata'] ?? {})
    const attributes = [
      `href="${escapeHtml(`${file.url}#${algorithm}=${hex}`)}"`,
      ...(file['requires-python'] === undefined
        ? []
        : [`data-requires-python="${escapeHtml(file['requires-python'])}"`]),
      ...(file.yanked === undefined
        ? []
        : [`data-yanked="${file.yanked === true ? '' : escapeHtml(String(file.yanked))}"`]),
      ...(metadata ? [`data-core-metadata="${metadata[0]}=${metadata[1]}"`] : []),
    ]
    return `<a ${attributes.join(' ')}>${escapeHtml(file.filename)}</a><br>`
  })
  return [
    '<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.0">',
    `<title>Links for ${escapeHtml(project)}</title></head><body>`,
    ...lines,
    '</body></html>\n',
  ].join('\n')
}
