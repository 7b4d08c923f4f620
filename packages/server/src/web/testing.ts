/** For tests: the site over the real pipeline, whose methods answer with the made-up node of fixtures.ts. */
import { methods, refuse } from '@perennial/protocol'
import { openJobs } from '../jobs.ts'
import { implement, openRpc, type Implementation, type StationHouse } from '../rpc/index.ts'
import * as fixture from './fixtures.ts'
import * as books from './fixtures-books.ts'
import { openWeb, type Web } from './index.ts'

export const ORIGIN = 'http://127.0.0.1:8080'

export interface TestSite {
  readonly web: Web
  /** What was asked of methods that change something. */
  readonly done: { readonly method: string; readonly input: unknown; readonly caller: string | null }[]
  /** What `apps.get` answers, to be changed as a test goes. */
  readonly state: { app: typeof fixture.app; lines: typeof fixture.lines; deployment: typeof fixture.deployment }
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(path: string, form: Record<string, string>, headers?: Record<string, string>): Promise<Response>
}

export async function openSite(house: StationHouse, origins = [ORIGIN, 'http://localhost:8080']): Promise<TestSite> {
  const done: TestSite['done'] = []
  const state: TestSite['state'] = { app: fixture.app, lines: fixture.lines, deployment: fixture.deployment }
  // Its calls are another pipeline's beside that of the house.
  const jobs = openJobs({ ...house, owner: 'site' })
  const rpc = openRpc({ ...house, jobs }, handlers(done, state))
  const web = await openWeb(house, { rpc, identity: house.identity, origins })
  const ask = (path: string, init: RequestInit) => {
    const url = new URL(path, ORIGIN)
    return web.answer({ request: new Request(url, init), url, address: '127.0.0.1' })
  }
  return {
    web,
    done,
    state,
    get: (path, headers = {}) => ask(path, { headers }),
    post: (path, form, headers = {}) =>
      ask(path, {
        method: 'POST',
        body: new URLSearchParams(form).toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      }),
  }
}

/** The session cookie that a page set, and the token of its forms: what a browser would send with them. */
export async function asVisitor(page: Response): Promise<{ cookie: string; token: string; body: string }> {
  const body = await page.text()
  const cookie = (page.headers.get('set-cookie') ?? '').split(';')[0]!
  return { cookie, token: /name="token" value="([^"]+)"/.exec(body)?.[1] ?? '', body }
}

function handlers(done: TestSite['done'], state: TestSite['state']): Implementation<StationHouse>[] {
  const named = (app: string) => app === state.app.slug || app === state.app.id
  const nobody = () => refuse('client-error/not-found', 'There is no app of that name here. Nothing was charged.')
  return [
    implement(methods.apps.deploy, async ({ input, caller }) => {
      done.push({ method: 'apps.deploy', input, caller: caller.did })
      if (!input.url.startsWith('https://'))
        return refuse(
          'client-error/invalid-arguments',
          'Only public https:// addresses can be run.',
          `Try https://${input.url.replace(/^\w+:\/\//, '')}.`,
        )
      return { deployment: state.deployment, app: state.app }
    }),
    implement(methods.apps.quote, async ({ input }) =>
      input.url.includes('private')
        ? refuse('client-error/invalid-arguments', 'That is no public repository.')
        : { ...fixture.estimate, url: input.url },
    ),
    implement(methods.apps.get, async ({ input }) => (named(input.app) ? state.app : nobody())),
    implement(methods.apps.list, async () => ({ apps: [...fixture.apps] })),
    implement(methods.repository.get, async () => ({ about: fixture.about })),
    implement(methods.apps.logs, async ({ input }) => {
      const lines = state.lines.filter(({ seq }) => seq > (input.after ?? 0n))
      return { lines: [...lines], next: lines.at(-1)?.seq ?? input.after ?? 0n }
    }),
    implement(methods.apps.stop, async ({ input, caller }) => {
      done.push({ method: 'apps.stop', input, caller: caller.did })
      return state.app
    }),
    implement(methods.apps.run, async () => state.app),
    implement(methods.apps.deployment, async () => state.deployment),
    implement(methods.funding.quote, async () => refuse('client-error/not-found', 'not needed here')),
    implement(methods.funding.contribute, async ({ input, caller }) => {
      done.push({ method: 'funding.contribute', input, caller: caller.did })
      if (input.amount < state.app.money.minimum)
        return refuse('request-declined/payment/too-low', 'The smallest payment is 0.10. Nothing was charged.')
      state.app = {
        ...state.app,
        contributions: [
          { id: input.id, amount: input.amount, name: input.name ?? null, at: fixture.NOW },
          ...state.app.contributions,
        ],
      }
      const parts = { commons: input.amount / 20n, reserve: 0n, purse: input.amount - input.amount / 20n }
      const { runway } = state.app
      return {
        id: input.id,
        app: state.app.id,
        amount: input.amount,
        asset: 'TEST',
        parts,
        at: fixture.NOW,
        seq: 7n,
        state: 'funded' as const,
        runway,
      }
    }),
    implement(methods.funding.recent, async () => ({ payments: [...fixture.payments] })),
    implement(methods.ledger.account, async ({ input }) => ({ ...books.account, name: input.account })),
    implement(methods.ledger.statement, async ({ input }) => ({
      account: { ...books.account, name: input.account },
      rows: [...books.rows],
      next: null,
    })),
    implement(methods.node.info, async (_call, { identity, origins }) => ({
      node: identity.node.did,
      protocol: 'opencloud/1' as const,
      version: '0.1.0',
      origin: origins[0]!,
      appsDomain: 'localhost',
      ledger: 'test',
      asset: 'TEST',
      isolation: 'shared-kernel',
    })),
    implement(methods.node.prices, async () => books.prices),
    implement(methods.node.totals, async () => fixture.totals),
  ]
}
