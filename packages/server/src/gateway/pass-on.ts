/**
 * Passes one request, or one upgrade, on to an app, streaming both ways.
 *
 * Used only for the requests that an app is woken by: each gets a connection of its own, so there is no idle one that
 * the app could have closed while it slept. Headers go on as HAProxy sent them, less what belongs to this hop. Neither
 * side is read faster than the other takes it, and when the visitor leaves, the app is told at once: its request ends.
 */
import { request, ServerResponse, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Endpoint } from './names.ts'

const CONNECT_TRIES = 20
const CONNECT_PAUSE_MS = 50
const OF_THIS_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'x-perennial-app'])

/** The app could not be reached, or broke off before it answered: nothing was sent to the client yet. */
export class AppUnreachable extends Error {
  override readonly name = 'AppUnreachable'
}

/** Resolves when the answer has gone out whole, or broke off on the way like the app's own would. */
export async function passOn(incoming: IncomingMessage, response: ServerResponse, to: Endpoint): Promise<void> {
  const socket = await dial(to, response)
  if (!socket) return
  await new Promise<void>((resolve, reject) => {
    const outgoing = request({
      createConnection: () => socket,
      method: incoming.method ?? 'GET',
      path: incoming.url ?? '/',
      headers: headersOn(incoming),
      setHost: false,
    })
    outgoing.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', headersOn(answer))
      answer.pipe(response)
      answer.on('error', () => response.destroy())
    })
    // Once it answers, whether its answer came whole is for the answer to say: an app need not read all that is sent.
    outgoing.on('error', (cause) => {
      if (!response.headersSent) reject(new AppUnreachable(`the app at ${to.address}:${to.port} broke off`, { cause }))
    })
    response.on('close', () => {
      socket.destroy()
      // What the visitor still sends is for nobody, and would stand before HAProxy's next request.
      if (!incoming.complete) incoming.destroy()
      resolve()
    })
    incoming.pipe(outgoing)
  })
}

/**
 * A WebSocket's first request. Only once the app has agreed (101) do both sides talk past us. An app that answers
 * anything else gets that answer passed on and the connection closed: HAProxy keeps open ones for anybody's next
 * request, which the app would then read.
 */
export async function passUpgrade(
  incoming: IncomingMessage,
  client: Duplex,
  head: Buffer,
  to: Endpoint,
): Promise<void> {
  const socket = await dial(to, client)
  if (!socket) return
  await new Promise<void>((resolve, reject) => {
    const outgoing = request({
      createConnection: () => socket,
      method: incoming.method ?? 'GET',
      path: incoming.url ?? '/',
      headers: [...headersOn(incoming), 'Connection', 'Upgrade', 'Upgrade', incoming.headers.upgrade ?? ''],
      setHost: false,
    })
    outgoing.on('upgrade', (answer, app, appHead) => {
      client.write(`HTTP/1.1 101 Switching Protocols\r\n${rawLines(answer)}\r\n`, 'latin1')
      client.write(appHead)
      app.write(head)
      join(client, app)
      resolve()
    })
    outgoing.on('response', (answer) => {
      const response = new ServerResponse(incoming)
      response.shouldKeepAlive = false
      response.assignSocket(client as Socket)
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', headersOn(answer))
      answer.pipe(response)
      answer.on('error', () => client.destroy())
      response.on('finish', () => client.end())
      resolve()
    })
    // Before an answer this is a page; after one, whoever reads it has noticed.
    outgoing.on('error', (cause) =>
      reject(new AppUnreachable(`the app at ${to.address}:${to.port} broke off`, { cause })),
    )
    client.on('close', () => socket.destroy())
    outgoing.end()
  })
}

function rawLines({ rawHeaders }: IncomingMessage): string {
  let lines = ''
  for (let index = 0; index < rawHeaders.length; index += 2)
    lines += `${rawHeaders[index]}: ${rawHeaders[index + 1]}\r\n`
  return lines
}

function join(one: Duplex, other: Duplex): void {
  one.pipe(other)
  other.pipe(one)
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroy())
  }
}

/**
 * A refused connection is tried again for a second: an app may still be between two of its own processes. Null when
 * the visitor has left meanwhile: no request begins that nobody waits for.
 */
async function dial({ address, port }: Endpoint, visitor: { readonly destroyed: boolean }): Promise<Socket | null> {
  for (let attempt = 1; ; attempt++) {
    if (visitor.destroyed) return null
    try {
      const connected = await new Promise<Socket>((resolve, reject) => {
        const socket = connect({ host: address, port, noDelay: true, timeout: 2000 })
        socket.once('connect', () => {
          socket.off('error', reject)
          socket.setTimeout(0)
          resolve(socket)
        })
        socket.once('error', reject)
        socket.once('timeout', () => socket.destroy(new Error('no answer to a connection within 2 s')))
      })
      if (!visitor.destroyed) return connected
      connected.destroy()
    } catch (cause) {
      if (attempt === CONNECT_TRIES)
        throw new AppUnreachable(`the app at ${address}:${port} takes no connection`, { cause })
      await new Promise((resolve) => setTimeout(resolve, CONNECT_PAUSE_MS))
    }
  }
}

/** Raw pairs, so that names, order and repeats stay; Node frames the body of this hop anew. */
function headersOn({ rawHeaders }: IncomingMessage): string[] {
  const named = new Set<string>()
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]!.toLowerCase() === 'connection')
      for (const name of rawHeaders[index + 1]!.split(',')) named.add(name.trim().toLowerCase())
  const kept: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase()
    if (OF_THIS_HOP.has(name) || (named.has(name) && name !== 'content-length')) continue
    kept.push(rawHeaders[index]!, rawHeaders[index + 1]!)
  }
  return kept
}
