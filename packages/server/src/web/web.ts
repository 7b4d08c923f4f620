/**
 * The node's own site: calls, files, pages, in this order, behind one listener.
 *
 * Whoever dials the unix socket is the gateway, so its `X-Forwarded-For` and `X-Forwarded-Proto` are believed; on a
 * port, for tests and nodes without a gateway, the connection itself says who it is.
 */
import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { isRefusal, methods } from '@perennial/protocol'
import type { Identity } from '../identity/index.ts'
import type { Rpc } from '../rpc/index.ts'
import type { Services } from '../services.ts'
import { findAsset } from './assets.ts'
import { Data } from './data.ts'
import { openLive } from './live.ts'
import { restingPages, type RestingPages } from './resting.ts'
import { routes } from './routes.ts'
import { ASSET_HEADERS } from './security.ts'
import type { Frame } from './views.ts'
import type { Arrival } from './visit.ts'

export interface WebDeps {
  readonly rpc: Rpc
  readonly identity: Pick<Identity, 'sessions' | 'adminToken'>
  /** `http://127.0.0.1:8080`, one for each of the node's host names; the first is the one to link to. */
  readonly origins: readonly string[]
}

export interface Web {
  /** Answers one request as if it had come over the wire. */
  answer(arrival: Arrival): Promise<Response>
  /** Listens where node.ts says: the gateway's socket, or a port. Resolves to the port, if it is one. */
  listen(on: { readonly socketPath: string } | { readonly host: string; readonly port: number }): Promise<number | null>
  /** What the gateway's activator shows at an app's address while the app cannot answer. */
  readonly resting: RestingPages
  close(): Promise<void>
}

const TOO_OLD_MS = 60_000

export async function openWeb(services: Pick<Services, 'clock' | 'diagnostics'>, deps: WebDeps): Promise<Web> {
  const { rpc, origins } = deps
  const node = origins[0]!
  const info = await rpc.call(methods.node.info, {}, { did: null, via: 'none', address: '127.0.0.1' })
  if (isRefusal(info)) throw new Error(`the node does not say who it is: ${info.sentence}`)
  const frame = (): Frame => ({ asset: info.asset, now: services.clock.now(), node: '', token: null })
  const data = new Data(rpc, deps.identity.adminToken)
  const live = openLive(services)
  const site = routes({ ...deps, ...services, data, live, frame })
  const servers = new Set<Server>()

  const answer = async (arrival: Arrival): Promise<Response> => {
    if (!origins.includes(arrival.url.origin)) return elsewhere(arrival.url.host)
    const file = findAsset(arrival.url.pathname)
    if (file) return new Response(file.bytes, { headers: { ...ASSET_HEADERS, 'content-type': file.type } })
    return (await rpc.handle(arrival)) ?? (await site.fetch(arrival.request, arrival))
  }

  return {
    answer,
    resting: restingPages({ data, frame: () => ({ ...frame(), node }) }),
    async listen(on) {
      const behindGateway = 'socketPath' in on
      const listener = getRequestListener(
        async (request, env) => answer(arrivalOf(request, env.incoming as IncomingMessage, { behindGateway, node })),
        { overrideGlobalObjects: false },
      )
      const server = createServer(
        { maxHeaderSize: 32 * 1024, requestTimeout: TOO_OLD_MS },
        (incoming, outgoing) => void listener(incoming, outgoing),
      )
      servers.add(server)
      if (behindGateway) await rm(on.socketPath, { force: true })
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(behindGateway ? { path: on.socketPath } : { host: on.host, port: on.port }, () => resolve())
      })
      if (behindGateway) await chmod(on.socketPath, 0o600)
      const address = server.address()
      return typeof address === 'object' ? (address?.port ?? null) : null
    },
    async close() {
      await live.close()
      await Promise.all(
        [...servers].map(
          (server) =>
            new Promise<void>((resolve) => {
              server.close(() => resolve())
              server.closeIdleConnections()
              setTimeout(() => server.closeAllConnections(), 2000).unref()
            }),
        ),
      )
    },
  }
}

/** What the request says of itself, in the words of whoever may say it. */
function arrivalOf(
  request: Request,
  incoming: IncomingMessage,
  { behindGateway, node }: { behindGateway: boolean; node: string },
): Arrival {
  const said = (name: string) => {
    const value = incoming.headers[name]
    return behindGateway && typeof value === 'string' ? value : undefined
  }
  const scheme = said('x-forwarded-proto') === 'https' ? 'https' : 'http'
  // A request without a Host, or with one that is no host, belongs nowhere.
  const target = `${scheme}://${incoming.headers.host ?? 'nowhere.invalid'}`
  const url = URL.canParse(incoming.url ?? '/', target)
    ? new URL(incoming.url ?? '/', target)
    : new URL('/', `${scheme}://nowhere.invalid`)
  return { request, url, address: said('x-forwarded-for') ?? incoming.socket.remoteAddress ?? node }
}

function elsewhere(host: string): Response {
  return new Response(`This address serves no site of the name ${host.replaceAll(/[^\w.:-]/g, '')}.\n`, {
    status: 421,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
  })
}
