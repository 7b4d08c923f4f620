/** The answers of methods by name, for those who put them together. */
import type { methods, OutputOf } from '@perennial/protocol'

export type App = OutputOf<typeof methods.apps.get>
export type AppRow = OutputOf<typeof methods.apps.list>['apps'][number]
export type AppSummary = OutputOf<typeof methods.apps.stop>
export type Deployment = OutputOf<typeof methods.apps.deployment>
export type Commit = NonNullable<App['commit']>
export type Offer = App['money']['offers'][number]
