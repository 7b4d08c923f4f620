/** For tests and benches: a real gateway on a free port, with apps that are plain Node servers on loopback. */
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, request, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { freePort } from '@perennial/testnet/free-port'
import { systemClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { openDiagnostics } from '../diagnostics.ts'
import { openEvents } from '../events.ts'
import { openJobs } from '../jobs.ts'
import type { Services } from '../services.ts'
import { serverDatabase } from '../testing.ts'
import type { Waker } from './activator.ts'
import { openGateway, type Gateway, type GatewayOptions } from './gateway.ts'
import { stop } from './process.ts'

const FOLDERS = '/tmp/perennial-gateway-'

export interface TestGateway {
  readonly gateway: Gateway
  readonly services: Services
  readonly folder: string
  readonly port: number
  /** What the node's own web server gets. */
  readonly web: Server
  /** The gateway as a node that was killed and started again opens it. */
  reopen(): Promise<Gateway>
  [Symbol.asyncDispose](): Promise<void>
}

/** Nobody can be woken, nobody is known, unless said otherwise. */
const nobody: Waker = {
  find: async () => null,
  wake: async () => 'ready',
}

export async function testGateway(options: Partial<GatewayOptions> & { log?: boolean } = {}): Promise<TestGateway> {
  const store = await serverDatabase()
  await clearAbandoned()
  const folder = await mkdtemp(`${FOLDERS}${process.pid}-`)
  const port = await freePort()
  const config = readConfig({ PERENNIAL_DATA: folder, PERENNIAL_LISTEN: `127.0.0.1:${port}` })
  const diagnostics = openDiagnostics({ level: options.log ? 'debug' : 'error' })
  const { database } = store
  const jobs = openJobs({ database, clock: systemClock, diagnostics, owner: 'test' })
  const services: Services = {
    config,
    database,
    clock: systemClock,
    diagnostics,
    jobs,
    events: openEvents({ jobs, clock: systemClock }),
  }
  const web = createServer((incoming, response) => response.end(`node ${incoming.url}`))
  const webSocketPath = `${folder}/web.sock`
  await new Promise<void>((resolve) => web.listen(webSocketPath, resolve))
  const open = () => openGateway(services, { webSocketPath, waker: nobody, folder, ...options })
  let gateway = await open()
  return {
    get gateway() {
      return gateway
    },
    services,
    folder,
    port,
    web,
    async reopen() {
      await gateway.close({ serving: true })
      gateway = await open()
      return gateway
    },
    async [Symbol.asyncDispose]() {
      await gateway.close()
      web.closeAllConnections()
      await new Promise((resolve) => web.close(resolve))
      await store[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

/** A test run that was killed leaves its HAProxy, as a killed node does; the next run ends it. */
async function clearAbandoned(): Promise<void> {
  for (const name of await readdir('/tmp')) {
    const folder = `/tmp/${name}`
    if (!folder.startsWith(FOLDERS) || existsSync(`/proc/${folder.slice(FOLDERS.length).split('-')[0]}`)) continue
    await stop(folder, 0, async () => false)
    await rm(folder, { recursive: true, force: true })
  }
}

export interface TestApp {
  readonly port: number
  readonly server: Server
  [Symbol.asyncDispose](): Promise<void>
}

/** An app; `answer` is what it says, or how it answers. */
export async function testApp(answer: string | RequestListener, port = 0): Promise<TestApp> {
  const server = createServer(typeof answer === 'string' ? (_incoming, response) => response.end(answer) : answer)
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    server,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** One request on a connection of its own; Node's resolver does not know `*.localhost`, so it dials 127.0.0.1. */
export function visit(
  port: number,
  host: string,
  options: { path?: string; method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { path = '/', method = 'GET', headers = {}, body } = options
    const outgoing = request({ host: '127.0.0.1', port, path, method, headers: { host, ...headers }, agent: false })
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      )
    })
    outgoing.end(body)
  })
}

/** Writes these bytes on one connection and returns all that comes back until it is closed (or for `quietMs`). */
export function raw(port: number, bytes: string, quietMs = 300): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
    socket.setTimeout(quietMs, () => socket.destroy())
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}
