/** What should run of an app, and who pays for it. */
import { permitted } from '@perennial/protocol'
import type { App } from '../apps/index.ts'
import type { Builds, Release } from '../builds/index.ts'
import type { Funding } from '../funding/index.ts'
import type { Instance } from './queries.ts'

export interface Target {
  readonly app: App
  readonly release: Release
  readonly payer: string
}

/** Null: nothing should. */
export async function targetOf(
  app: App,
  { builds, funding }: { builds: Pick<Builds, 'current'>; funding: Pick<Funding, 'payerOf'> },
): Promise<Target | null> {
  if (app.stopped || app.release === null || !permitted(app.state).compute) return null
  const release = await builds.current(app)
  const payer = await funding.payerOf(app.id, 'run')
  return release && payer !== null ? { app, release, payer } : null
}

/** Whether it is a copy of what should run, paid by who should pay. */
export function isRight(row: Pick<Instance, 'release' | 'number' | 'payer'>, { release, payer }: Target): boolean {
  return row.release === release.sha256 && (row.number ?? release.number) === release.number && row.payer === payer
}

/** Work that no visitor asked for is paid by nobody's money but the app's own. */
export function mayWorkInBackground({ app, payer }: Target): boolean {
  return permitted(app.state).background && payer.startsWith('app/')
}
