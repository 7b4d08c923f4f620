/** What people read of an app's repository. */
import type { Queryable } from '../../database.ts'

export interface About {
  readonly commit: string
  /** HTML that may stand on a page as it is. */
  readonly readme: { readonly name: string; readonly html: string; readonly cut: boolean } | null
  readonly licence: { readonly spdx: string | null; readonly file: string } | null
  /** Whether the commit is signed and by which key, in a sentence. */
  readonly signature: string
}

export async function storeAbout(on: Queryable, app: string, about: About): Promise<void> {
  const { commit, readme, licence, signature } = about
  await on.query(
    `insert into repository_about (app, commit, readme_name, readme, readme_cut, licence, licence_file, signature)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (app) do update set commit = excluded.commit, readme_name = excluded.readme_name,
       readme = excluded.readme, readme_cut = excluded.readme_cut, licence = excluded.licence,
       licence_file = excluded.licence_file, signature = excluded.signature`,
    [
      app,
      commit,
      readme?.name ?? null,
      readme?.html ?? null,
      readme?.cut ?? false,
      licence?.spdx ?? null,
      licence?.file ?? null,
      signature,
    ],
  )
}

export async function aboutOf(on: Queryable, app: string): Promise<About | null> {
  const [row] = await on.query<{
    commit: string
    readmeName: string | null
    readme: string | null
    cut: boolean
    spdx: string | null
    file: string | null
    signature: string
  }>(
    `select commit, readme_name as "readmeName", readme, readme_cut as cut, licence as spdx, licence_file as file, signature
       from repository_about where app = $1`,
    [app],
  )
  if (!row) return null
  const { commit, readmeName, readme, cut, spdx, file, signature } = row
  return {
    commit,
    readme: readmeName === null || readme === null ? null : { name: readmeName, html: readme, cut },
    licence: file === null ? null : { spdx, file },
    signature,
  }
}
