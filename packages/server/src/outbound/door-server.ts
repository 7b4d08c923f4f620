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

const MOST_CONNECTIONS = 2000
const HEADERS_TIMEOUT_MS = 10_000

export async function listenOnDoor(
  server: Server,
  { listen, traffic }: { listen: Listen; traffic: TrafficTable },
): Promise<DoorServer> {
  const peers: BlockList = subnet(listen.peers)
  const sockets = new Set<Socket>()
  server.maxConnections = MOST_CONNECTIONS
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.requestTimeout = traffic.limits.connectionMs
  server.on('connection', (socket: Socket) => {
    if (!peers.check(peerOf(socket))) return void socket.destroy()
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
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
      if (row.connections >= limits.connections)
        return refused(refuse('request-declined/rate-limit', `More than ${limits.connections} connections at once.`))
      if (!traffic.has(row)) return refused(traffic.tooMuch())
      row.connections++
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
        row.connections--
      }
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
