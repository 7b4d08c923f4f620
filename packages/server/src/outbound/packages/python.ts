/** Python's packages: a project's page in both forms, its files and their metadata. */
import type { Documents, Wanted } from './documents.ts'
import type { Files } from './files.ts'
import { openText, type Text } from './npm.ts'
import type { Payer } from './payer.ts'
import type { Held } from './store.ts'

export type PageForm = 'json' | 'html'

export interface Python {
  page(project: string, form: PageForm, payer: Payer): Promise<Text | null>
  file(project: string, file: string, payer: Payer): Promise<Held | null>
}

const ACCEPT = 'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.01'
/** Numerical libraries are large; what a build may move at all bounds the rest. */
const MAX_FILE_BYTES = 512 * 2 ** 20

export function openPython({ documents, files }: { documents: Documents; files: Files }): Python {
  const wantedOf = (project: string): Wanted => ({
    kind: 'python',
    name: project,
    path: `./${project}/`,
    accept: ACCEPT,
  })
  return {
    page: (project, form, payer) => openText(documents, { wanted: wantedOf(project), form }, payer),
    file: (project, file, payer) =>
      files.open(
        {
          key: `python ${project}/${file}`,
          file,
          maxBytes: MAX_FILE_BYTES,
          async ask(by) {
            const wanted = wantedOf(project)
            const document = await documents.get(wanted, by)
            const listed = document && (await documents.find(document, wanted, file))
            return listed && { ...listed, knownMs: document.fetchedMs }
          },
          urlOf: ({ url }) => new URL(url),
        },
        payer,
      ),
  }
}
