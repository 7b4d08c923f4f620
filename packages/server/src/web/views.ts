/**
 * What pages are functions of: the answers of methods, as any client gets them, and who is looking.
 *
 * A page asks for nothing itself; `data.ts` makes the calls, tests fill these by hand.
 */
import type { methods, Micros, OutputOf } from '@perennial/protocol'

export type App = OutputOf<typeof methods.apps.get>
export type AppSummary = OutputOf<typeof methods.apps.stop>
export type AppRow = OutputOf<typeof methods.apps.list>['apps'][number]
export type AppName = Payment['app']
export type Money = App['money']
export type AppState = App['state']
export type Deployment = OutputOf<typeof methods.apps.deployment>
export type Step = Deployment['steps'][number]
export type LogLine = OutputOf<typeof methods.apps.logs>['lines'][number]
export type DayCost = App['days'][number]
export type Runway = App['runway']
export type Account = OutputOf<typeof methods.ledger.account>
export type Row = OutputOf<typeof methods.ledger.statement>['rows'][number]
export type Prices = OutputOf<typeof methods.node.prices>
export type Totals = OutputOf<typeof methods.node.totals>
export type Payment = OutputOf<typeof methods.funding.recent>['payments'][number]
export type Estimate = OutputOf<typeof methods.apps.quote>
export type About = NonNullable<OutputOf<typeof methods.repository.get>['about']>
export type Offer = Money['offers'][number]

/** What every page knows. */
export interface Frame {
  /** The currency code of the price book. */
  readonly asset: string
  readonly now: Date
  /** `http://127.0.0.1:8080`: where the node's pages are. Empty on the node's own pages, whose links are relative. */
  readonly node: string
  /** Proves that a form came from a page of ours; null on pages that stand at an app's address, which have no POST form. */
  readonly token: string | null
}

/** What the visitor's last act did, said once, above the page. */
export interface Notice {
  readonly tone: 'good' | 'low' | 'thrifty' | 'frozen' | 'bad'
  /** In bold. */
  readonly fact: string
  /** What it cost, what to do. */
  readonly rest: string
}

/** A pay box as it is filled in. */
export interface PayForm {
  /** Made with the form, so that a payment sent twice is made once. */
  readonly id: string
  readonly chosen: Micros | null
  readonly other: string
  readonly name: string
  readonly error: string | null
}

export interface FrontView {
  readonly apps: readonly AppRow[]
  readonly payments: readonly Payment[]
  readonly totals: Totals
  /** What was typed into the deploy box and refused. */
  readonly refused: { readonly url: string; readonly sentence: string } | null
}

export interface AppView {
  readonly app: App
  readonly about: About | null
  readonly pay: PayForm
  readonly log: readonly LogLine[]
  readonly notice: Notice | null
  /** Of the app, for its admin alone. */
  readonly adminToken: string | null
}

export interface DeploymentView {
  readonly deployment: Deployment
  readonly app: Pick<AppSummary, 'url' | 'repository' | 'slug'>
  readonly log: readonly LogLine[]
}

export interface RepositoryView {
  readonly estimate: Estimate
  readonly notice: Notice | null
}

export interface StatementView {
  readonly account: Account
  /** The app whose account it is. */
  readonly app: AppName | null
  /** Newest first, the way they are shown. */
  readonly rows: readonly Row[]
  /** Names that people know for accounts of this page: `app/<id>/purse` is `fieldnotes purse`. */
  readonly names: ReadonlyMap<string, string>
  readonly older: bigint | null
}
