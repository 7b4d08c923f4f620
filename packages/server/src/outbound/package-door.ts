/**
 * The door for packages: a read-only registry for the npm, pnpm, Yarn, pip or uv of a build, which hands out nothing
 * unverified.
 *
 * GET and HEAD of the paths in npm-path.ts and python-path.ts; everything else is 404 or 405. Builds have it as their
 * proxy, too: a program that wants another host hears at once, and by name, that there is no way. Errors are npm's own
 * shape, `{"error":"…"}`, so that the sentence reaches the build log.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Diagnostics } from '../diagnostics.ts'
import { listenOnDoor, type DoorServer, type Listen } from './door-server.ts'
import { answerNpm } from './packages/answer-npm.ts'
import { answerPython } from './packages/answer-python.ts'
import { Bill } from './packages/bill.ts'
import { WrongIntegrity } from './packages/digest.ts'
import { MalformedDocument } from './packages/malformed.ts'
import { OverLimit } from './packages/payer.ts'
import { PREFIX } from './packages/python-path.ts'
import { say, type Exchange, type Shelves } from './packages/send.ts'
import { UpstreamFailed } from './packages/upstream.ts'
import { turnAway } from './turn-away.ts'
import type { Traffic, TrafficTable } from './traffic.ts'

/** Several package managers in one build ask more at once than it gets; they need not know. */
const MOST_WAITING = 512

export interface PackageDoorOptions {
  readonly listen: Listen
  readonly traffic: TrafficTable
  readonly shelves: Shelves
  readonly diagnostics: Diagnostics
}

export async function openPackageDoor({
  listen,
  traffic,
  shelves,
  diagnostics,
}: PackageDoorOptions): Promise<DoorServer & { readonly origin: string }> {
  const server = createServer((req, res) => {
    const row = traffic.of(door.peer(req))
    void door
      .counted(
        row,
        req.socket,
        ({ sentence }) => say(res, 429, sentence),
        () => answer(req, res, row),
      )
      .catch(() => res.destroy())
  })
  server.on('connect', (req: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => socket.destroy())
    const sentence = turnAway(traffic.of(door.peer(req)), req.url ?? '')
    socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${sentence}\n`)
  })
  const door = await listenOnDoor(server, { listen, traffic, waiting: MOST_WAITING })
  const origin = `http://${door.address}:${door.port}`

  async function answer(req: IncomingMessage, res: ServerResponse, row: Traffic): Promise<void> {
    const path = req.url ?? ''
    if (!path.startsWith('/')) return say(res, 403, turnAway(row, path))
    if (req.method !== 'GET' && req.method !== 'HEAD') return say(res, 405, 'this registry is read-only')
    const exchange: Exchange = { req, res, path, origin, shelves, bill: new Bill(traffic, row) }
    try {
      await (path.startsWith(PREFIX) ? answerPython(exchange) : answerNpm(exchange))
    } catch (error) {
      if (res.headersSent) throw error
      const status = statusOf(error)
      if (status !== 429) diagnostics.warn('a package could not be handed out', { path: path.slice(0, 300), error })
      say(res, status, status === 500 ? 'the package door failed' : (error as Error).message)
    }
  }

  return { ...door, origin }
}

function statusOf(error: unknown): number {
  if (error instanceof WrongIntegrity || error instanceof MalformedDocument) return 422
  if (error instanceof UpstreamFailed) return 502
  return error instanceof OverLimit ? 429 : 500
}
