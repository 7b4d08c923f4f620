/**
 * What both doors have in common: they listen on the sandboxes' side of the host, answer only sandboxes, and keep
 * each to its limits of bytes, connections and time.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo, BlockList, Socket } from 'node:net'
import { refuse, type Refusal } from '@perennial/protocol'
import { subnet } from './address.ts'
import { peerOf, type Traffic, type TrafficTable } from './traffic.ts'

export interface Listen {
  /** The host's address on the sandboxes' side. */
  readonly address: string
  /** 0 or absent: any free one. */
  readonly port?: number
  /** Who may come, as `address/bits`. Others on the machine's networks could route to `address`. */
  readonly peers: string
}

export interface DoorServer {
  readonly address: string
  readonly port: number
  peer(req: IncomingMessage): string
  /** Runs `work` as one of the peer's connections, within its limits; cuts `socket` when time is up. */
  counted(row: Traffic, socket: Socket, refused: (refusal: Refusal) => void, work: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

const MOST_CONNECTIONS = 20_000
/** Sockets that one sandbox may hold besides those it may use at once, so that a refusal can be said. */
const SPARE_SOCKETS = 64
const HEADERS_TIMEOUT_MS = 10_000
/** Longer than clients keep an idle connection, so that none is closed while a request is on its way. */
const KEEP_ALIVE_MS = 95_000

export interface DoorRules {
  readonly listen: Listen
  readonly traffic: TrafficTable
  /** How many requests of a sandbox may wait for its others to end, before one is refused. */
  readonly waiting: number
}

export async function listenOnDoor(server: Server, { listen, traffic, waiting }: DoorRules): Promise<DoorServer> {
  const peers: BlockList = subnet(listen.peers)
  const sockets = new Set<Socket>()
  const held = new Map<string, number>()
  const mostSockets = traffic.limits.connections + waiting + SPARE_SOCKETS
  server.maxConnections = MOST_CONNECTIONS
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.requestTimeout = traffic.limits.connectionMs
  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket)
    const others = held.get(peer) ?? 0
    if (!peers.check(peer) || others >= mostSockets) return void socket.destroy()
    sockets.add(socket)
    held.set(peer, others + 1)
    socket.on('close', () => {
      sockets.delete(socket)
      const left = (held.get(peer) ?? 1) - 1
      if (left === 0) held.delete(peer)
      else held.set(peer, left)
    })
  })
  server.on('clientError', (_error, socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: listen.address, port: listen.port ?? 0 }, resolve)
  })
  const { address, port } = server.address() as AddressInfo

  return {
    address,
    port,
    peer: (req) => peerOf(req.socket),
    async counted(row, socket, refused, work) {
      const { limits } = traffic
      if (row.connections >= limits.connections) {
        if (row.waiting.length >= waiting)
          return refused(refuse('request-declined/rate-limit', `More than ${limits.connections} connections at once.`))
        await new Promise<void>((resolve) => row.waiting.push(resolve))
      } else row.connections++
      if (!traffic.has(row) || socket.destroyed) {
        leave(row)
        return refused(traffic.tooMuch())
      }
      const timer = setTimeout(() => {
        row.refusal = refuse(
          'server-error/upstream',
          `A connection lasted longer than ${Math.round(limits.connectionMs / 1000)} s.`,
        )
        socket.destroy()
      }, limits.connectionMs)
      try {
        await work()
      } finally {
        clearTimeout(timer)
        leave(row)
      }
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** The place goes to whoever waits the longest. */
function leave(row: Traffic): void {
  const next = row.waiting.shift()
  if (next) next()
  else row.connections--
}
