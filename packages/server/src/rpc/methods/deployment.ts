/** A deployment as methods answer it. */
import type { App as AppRecord } from '../../apps/index.ts'
import type { Deployment as Built } from '../../builds/index.ts'
import type { Deployment } from '../shapes.ts'

export function deploymentOf(built: Built, { id, slug, name, owner }: AppRecord): Deployment {
  const { commit, subject, committedAt, createdAt, ...rest } = built
  return {
    ...rest,
    createdAt,
    app: { id, slug, name, owner },
    steps: built.steps.map((step) => ({ ...step })),
    commit: commit === null ? null : { hash: commit, subject: subject ?? '', at: committedAt ?? createdAt },
  }
}
