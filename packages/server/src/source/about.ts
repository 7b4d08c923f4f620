/** What people read of a repository: its README made safe, its licence, who signed the commit. */
import type { Fetched } from './fetched.ts'
import { readLicence, type Licence } from './licence.ts'
import { findReadme, renderReadme, type Readme } from './readme.ts'
import { signatureSentence } from './signature/index.ts'

export interface RepositoryAbout {
  readonly commit: string
  readonly readme: (Readme & { readonly name: string }) | null
  readonly licence: Licence | null
  readonly signature: string
}

/** The worst README takes half a second of CPU: once a fetch, not once a view. */
export function aboutRepository(fetched: Fetched): RepositoryAbout {
  const readme = findReadme(fetched)
  return {
    commit: fetched.commit,
    readme: readme && { name: readme.name, ...renderReadme(readme) },
    licence: readLicence(fetched),
    signature: signatureSentence(fetched.signature),
  }
}
