/**
 * The build receipt: what was built from what, with what, by whom. Anyone who has the commit can build it again and
 * compare the release's hash. Canonical JSON, so that one receipt has one text.
 */
import { canonicalText } from '@perennial/protocol'
import type { Fetched, Plan } from '../source/index.ts'

export interface ReceiptParts {
  readonly app: string
  readonly deployment: string
  readonly repository: string
  readonly fetched: Fetched
  readonly plan: Plan
  /** Runtime images by name, SHA-256. */
  readonly images: Readonly<Record<string, string>>
  readonly release: { readonly sha256: string; readonly sizeBytes: number }
  /** did:key of the node. */
  readonly builder: string
  readonly at: Date
}

export function formatReceipt(parts: ReceiptParts): string {
  const { app, deployment, repository, fetched, plan, images, release, builder, at } = parts
  return canonicalText({
    format: 'perennial-build/1',
    app,
    deployment,
    repository,
    commit: fetched.commit,
    tree: fetched.tree,
    lockfile: fetched.lockfileSha256,
    steps: plan.steps.map(({ name, argv }) => ({ name, argv: argv.map((word) => word.toWellFormed()) })),
    packed: plan.packPath,
    runs: { image: plan.runImage, argv: plan.web.map((word) => word.toWellFormed()) },
    images,
    release: release.sha256,
    sizeBytes: release.sizeBytes,
    builder,
    builtAt: at.toISOString(),
  })
}
