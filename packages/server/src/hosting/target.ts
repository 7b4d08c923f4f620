/** What should run of an app, and who pays for it. */
import { permitted } from '@perennial/protocol'
import type { App } from '../apps/index.ts'
import type { Builds, Release } from '../builds/index.ts'
import type { Funding } from '../funding/index.ts'

export interface Target {
  readonly app: App
  readonly release: Release
  readonly payer: string
}

/** Null: nothing should. */
export async function targetOf(
  app: App,
  { builds, funding }: { builds: Pick<Builds, 'releaseByHash'>; funding: Pick<Funding, 'payerOf'> },
): Promise<Target | null> {
  if (app.stopped || app.release === null || !permitted(app.state).compute) return null
  const release = await builds.releaseByHash(app.id, app.release)
  const payer = await funding.payerOf(app.id, 'run')
  return release && payer !== null ? { app, release, payer } : null
}

/** Work that no visitor asked for is paid by nobody's money but the app's own. */
export function mayWorkInBackground({ app, payer }: Target): boolean {
  return permitted(app.state).background && payer.startsWith('app/')
}
