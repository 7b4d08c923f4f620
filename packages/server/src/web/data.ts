/** The calls behind each page, made as any client makes them, and put together to what the page is a function of. */
import { isRefusal, methods, newId, type InputOf, type Method, type OutputOf, type Refusal } from '@perennial/protocol'
import type { Caller, Rpc } from '../rpc/index.ts'
import type { LedgerView } from './pages/ledger.ts'
import type { App, AppView, DeploymentView, FrontView, LogLine, Notice, PayForm, StatementView } from './views.ts'

const RECENT = 10
const LOG_LINES = 100
const PAGE_ROWS = 40

export class Data {
  readonly #rpc: Rpc

  readonly #adminToken: (app: string) => string

  constructor(rpc: Rpc, adminToken: (app: string) => string) {
    this.#rpc = rpc
    this.#adminToken = adminToken
  }

  /** Of calls that only a broken node refuses. */
  async #must<M extends Method>(method: M, input: InputOf<M>, caller: Caller): Promise<OutputOf<M>> {
    const answer = await this.#rpc.call(method, input, caller)
    if (isRefusal(answer)) throw new Refused(answer)
    return answer as OutputOf<M>
  }

  async front(caller: Caller, refused: FrontView['refused'] = null): Promise<FrontView> {
    const [{ apps }, { payments }, totals] = await Promise.all([
      this.#must(methods.apps.list, {}, caller),
      this.#must(methods.funding.recent, { limit: RECENT }, caller),
      this.#must(methods.node.totals, {}, caller),
    ])
    return { apps, payments, totals, refused }
  }

  async app(
    slug: string,
    caller: Caller,
    shown: { pay?: Partial<PayForm>; notice?: Notice | null } = {},
  ): Promise<AppView> {
    const app = await this.appAlone(slug, caller)
    const [log, { about }] = await Promise.all([
      this.log(app.id, caller),
      this.#must(methods.repository.get, { app: app.id }, caller),
    ])
    const usual = app.money.offers[1]?.amount ?? null
    const pay: PayForm = { id: newId(), chosen: usual, other: '', name: '', error: null, ...shown.pay }
    const adminToken = app.mayAdminister ? this.#adminToken(app.id) : null
    return { app, about, pay, log, notice: shown.notice ?? null, adminToken }
  }

  async appAlone(slug: string, caller: Caller): Promise<App> {
    return this.#must(methods.apps.get, { app: slug }, caller)
  }

  async log(app: string, caller: Caller, more: { after?: bigint; source?: string } = {}): Promise<readonly LogLine[]> {
    const { lines } = await this.#must(methods.apps.logs, { app, limit: LOG_LINES, ...more }, caller)
    return lines
  }

  async deployment(id: string, caller: Caller, after: bigint | null = null): Promise<DeploymentView> {
    const deployment = await this.#must(methods.apps.deployment, { id }, caller)
    const [app, log] = await Promise.all([
      this.#must(methods.apps.get, { app: deployment.app.id }, caller),
      this.log(deployment.app.id, caller, { source: 'build', ...(after === null ? {} : { after }) }),
    ])
    return { deployment, app, log }
  }

  async statement(account: string, before: bigint | null, caller: Caller): Promise<StatementView> {
    const [{ account: shown, rows, next }, { apps }] = await Promise.all([
      this.#must(
        methods.ledger.statement,
        { account, limit: PAGE_ROWS, ...(before === null ? {} : { before }) },
        caller,
      ),
      this.#must(methods.apps.list, {}, caller),
    ])
    const names = new Map(
      apps.flatMap(({ id, name }) =>
        ['purse', 'reserve', 'clearing'].map((part) => [`app/${id}/${part}`, `${part} of ${name}`] as const),
      ),
    )
    const owner = apps.find(({ id }) => account.startsWith(`app/${id}/`)) ?? null
    return { account: shown, app: owner, rows, names, older: next }
  }

  async ledger(caller: Caller): Promise<LedgerView> {
    const { node } = await this.#must(methods.node.info, {}, caller)
    const known = [
      ['commons', 'The commons'],
      ['allowance', 'Start allowances of new apps'],
      [`provider/${node}`, 'This node, as the provider of all apps'],
      ['rail/push-button', 'Push-button credit, where money comes in'],
    ] as const
    const accounts = await Promise.all(
      known.map(async ([account, title]) => ({
        title,
        account: await this.#rpc.call(methods.ledger.account, { account }, caller),
      })),
    )
    const { apps } = await this.#must(methods.apps.list, {}, caller)
    return { apps, shared: accounts.flatMap(({ title, account }) => (isRefusal(account) ? [] : [{ title, account }])) }
  }
}

/** A call behind a page was refused: the page becomes one that says so. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.sentence)
    this.refusal = refusal
  }
}
