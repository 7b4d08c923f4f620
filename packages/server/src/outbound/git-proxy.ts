/**
 * The door for git: an HTTP forward proxy that sandboxes reach and nothing else does.
 *
 * `CONNECT host:443` opens a tunnel (the sandbox does TLS itself and sees the forge's own certificate);
 * `GET http://host:port/…` is forwarded only to development remotes. A redirect makes git ask again, so each hop
 * passes `check` anew.
 */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isRefusal, refuse, type Refusal } from '@perennial/protocol'
import type { Checked, Destination } from './check.ts'
import { listenOnDoor, type DoorServer, type Listen } from './door-server.ts'
import type { Traffic, TrafficTable } from './traffic.ts'

const CONNECT_TIMEOUT_MS = 10_000
const IDLE_TIMEOUT_MS = 60_000
/** Headers that belong to one hop (RFC 9110 §7.6.1), and the one that names the proxy's own credentials. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export interface GitProxyOptions {
  readonly listen: Listen
  readonly traffic: TrafficTable
  readonly check: (destination: Destination) => Promise<Checked | Refusal>
  readonly isDevelopment: (destination: Destination) => boolean
}

export async function openGitProxy({ listen, traffic, check, isDevelopment }: GitProxyOptions): Promise<DoorServer> {
  const server = createServer((req, res) => {
    void forward(req, res).catch(() => res.destroy())
  })

  server.on('connect', (req: IncomingMessage, client: Duplex, head: Buffer) => {
    client.on('error', () => client.destroy())
    void tunnel(req, client as Socket, head).catch(() => client.destroy())
  })

  async function tunnel(req: IncomingMessage, client: Socket, head: Buffer): Promise<void> {
    const row = traffic.of(door.peer(req))
    const refuseTunnel = (refusal: Refusal) => {
      row.refusal = refusal
      client.end(`HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${refusal.sentence}\n`)
    }
    const destination = parseAuthority(req.url ?? '')
    if (!destination) return refuseTunnel(NOT_A_DESTINATION)
    await door.counted(row, client, refuseTunnel, async () => {
      const found = await check(destination)
      if (isRefusal(found)) return refuseTunnel(found)
      const upstream = connect({ host: found.address, port: found.port })
      try {
        await connected(upstream)
      } catch {
        return refuseTunnel(unreachable(destination))
      }
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      if (head.length > 0) client.unshift(head)
      await relay(client, upstream, row)
    })
  }

  async function relay(client: Socket, upstream: Socket, row: Traffic): Promise<void> {
    for (const socket of [client, upstream]) socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy())
    const both = [pipeline(client, traffic.meter(row), upstream), pipeline(upstream, traffic.meter(row), client)]
    try {
      await Promise.all(both)
    } finally {
      client.destroy()
      upstream.destroy()
      await Promise.allSettled(both)
    }
  }

  async function forward(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const row = traffic.of(door.peer(req))
    const refuseRequest = (refusal: Refusal) => {
      row.refusal = refusal
      res.writeHead(403, { 'content-type': 'text/plain', connection: 'close' }).end(`${refusal.sentence}\n`)
    }
    const url = parseAbsolute(req.url ?? '')
    if (!url || (req.method !== 'GET' && req.method !== 'POST')) return refuseRequest(NOT_A_DESTINATION)
    const destination = { host: url.hostname, port: Number(url.port || 80) }
    if (!isDevelopment(destination))
      return refuseRequest(
        refuse('request-declined/policy', `${url.host} is asked without encryption.`, 'Use its https:// address.'),
      )
    await door.counted(row, req.socket, refuseRequest, async () => {
      const found = await check(destination)
      if (isRefusal(found)) return refuseRequest(found)
      await exchange({ req, res, url, found, row }).catch(() => {
        if (res.headersSent) res.destroy()
        else refuseRequest(unreachable(destination))
      })
    })
  }

  /** One request to exactly the address that was checked, under the name that was asked for. */
  async function exchange(hop: {
    readonly req: IncomingMessage
    readonly res: ServerResponse
    readonly url: URL
    readonly found: Checked
    readonly row: Traffic
  }): Promise<void> {
    const { req, res, url, found, row } = hop
    const upstream = request({
      host: found.address,
      port: found.port,
      method: req.method ?? 'GET',
      path: url.pathname + url.search,
      headers: { ...endToEnd(req), host: url.host },
      agent: false,
      setHost: false,
      timeout: IDLE_TIMEOUT_MS,
    })
    upstream.on('timeout', () => upstream.destroy(new Error('the remote fell silent')))
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      upstream.on('response', resolve)
      upstream.on('error', reject)
    })
    const sent = pipeline(req, traffic.meter(row), upstream)
    // The answer may come, and end the exchange, before the request is all sent.
    sent.catch((error: Error) => upstream.destroy(error))
    const answer = await answered
    res.writeHead(answer.statusCode ?? 502, endToEnd(answer))
    await pipeline(answer, traffic.meter(row), res)
  }

  const door = await listenOnDoor(server, { listen, traffic, waiting: 0 })
  return door
}

const NOT_A_DESTINATION = refuse('request-declined/policy', 'This door takes CONNECT host:443 and nothing else.')

function unreachable({ host, port }: Destination): Refusal {
  return refuse('server-error/upstream', `${host}:${port} did not answer.`, 'Try again later.')
}

/** `host:port` of a CONNECT; `[v6]:port` too. Null for everything else. */
export function parseAuthority(text: string): Destination | null {
  const parts = /^(?:([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)|\[([0-9A-Fa-f:.]{2,45})\]):(\d{1,5})$/.exec(text)
  if (!parts) return null
  const host = (parts[1] ?? parts[2] ?? '').toLowerCase()
  const port = Number(parts[3])
  if (port < 1 || port > 65_535 || (parts[2] !== undefined && isIP(host) !== 6)) return null
  return { host, port }
}

function parseAbsolute(text: string): URL | null {
  if (!text.startsWith('http://') || text.length > 2048) return null
  const url = URL.parse(text)
  return url && url.username === '' && url.password === '' ? url : null
}

function endToEnd(message: IncomingMessage): Record<string, string | string[]> {
  const dropped = new Set(
    (message.headers.connection ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  )
  const kept: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(message.headers))
    if (value !== undefined && !HOP_BY_HOP.has(name) && !dropped.has(name)) kept[name] = value
  return kept
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no answer')))
    socket.once('connect', () => {
      socket.setTimeout(0)
      resolve()
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
  })
}
