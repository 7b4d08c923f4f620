/** A deployment as methods answer it. */
import type { App as AppRecord } from '../../apps/index.ts'
import type { Deployment as Built } from '../../builds/index.ts'
import type { House } from '../house.ts'
import type { Deployment } from '../shapes.ts'

export async function deploymentOf(
  built: Built,
  { id, slug, name, owner }: AppRecord,
  { builds }: Pick<House, 'builds'>,
): Promise<Deployment> {
  const { commit, createdAt } = built
  const release = built.release === null ? null : await builds.release(built.id)
  return {
    ...built,
    app: { id, slug, name, owner },
    steps: built.steps.map((step) => ({ ...step })),
    // Its subject is known once it is built.
    commit:
      commit === null ? null : { hash: commit, subject: release?.subject ?? '', at: release?.builtAt ?? createdAt },
  }
}
