/** For the gateway: what stands at an app's address while the app cannot answer, with its status and headers. */
import { Refused, type Data } from './data.ts'
import type { Caller } from '../rpc/index.ts'
import { restingPage, unknownHostPage, type RestingKind } from './pages/resting.ts'
import { restingHeaders } from './security.ts'
import type { App, Frame } from './views.ts'

/** The gateway's words for why an app does not answer; node.ts passes this function to it as its page maker. */
export type GatewayKind = 'unknown' | 'unpaid' | 'starting' | 'down'

export interface RestingAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type RestingPages = (
  kind: GatewayKind,
  about: { readonly host: string; readonly app?: string; readonly sentence?: string; readonly nextStep?: string },
) => Promise<RestingAnswer>

const STATUS: Readonly<Record<GatewayKind, number>> = { unknown: 404, unpaid: 402, starting: 503, down: 503 }
const NOBODY: Caller = { did: null, via: 'none', address: '127.0.0.1' }

export function restingPages({ data, frame }: { data: Data; frame: () => Frame }): RestingPages {
  return async (kind, { host, app: id, sentence }) => {
    const shown = frame()
    const headers = restingHeaders(shown.node)
    const waiting = kind === 'starting' || kind === 'down' ? { 'retry-after': '5' } : {}
    const app = kind === 'unknown' ? null : await known(data, id)
    const body = app === null ? unknownHostPage(host, shown) : restingPage(kindOf(kind, app), app, shown, sentence)
    return { status: app === null ? 404 : STATUS[kind], headers: { ...headers, ...waiting }, body: String(body) }
  }
}

/** Throws while nobody can say, as when the database is away: that an app is not there is only said when it is so. */
async function known(data: Data, id: string | undefined): Promise<App | null> {
  if (id === undefined) throw new Error('the app could not be looked up')
  try {
    return await data.appAlone(id, NOBODY)
  } catch (error) {
    if (error instanceof Refused && error.refusal.refusal === 'client-error/not-found') return null
    throw error
  }
}

/** Why there is nothing to run. */
function unbuilt({ deployment }: App): RestingKind {
  if (deployment === null || deployment.status === 'waiting') return 'waiting'
  return deployment.status === 'failed' ? 'unbuilt' : 'building'
}

function kindOf(kind: GatewayKind, app: App): RestingKind {
  if (app.stopped) return 'stopped'
  if (app.state === 'archived') return 'archived'
  if (app.releases.length === 0) return unbuilt(app)
  if (kind === 'unpaid' || app.state === 'frozen') return 'frozen'
  return kind === 'starting' ? 'waking' : 'failing'
}
