/**
 * Apps behind a real gateway, each in a sandbox of its own, in the test's empty network: HAProxy, the activator,
 * sandboxd and the kernel between them are the product's own.
 */
import { createConnection } from 'node:net'
import { newId } from '@perennial/protocol'
import { until } from '@perennial/testnet'
import { testGateway } from '../../../packages/server/src/gateway/testing.ts'
import type { TestGateway } from '../../../packages/server/src/gateway/testing.ts'
import { openCage } from './cage.ts'
import type { Cage } from './cage.ts'
import { addAddress } from './empty-network.ts'
import { mebibyte, printed, spec } from './payload.ts'

/** Two clients that are not this machine. */
export const attacker = '11.22.33.66'
export const visitor = '11.22.33.77'

export interface Resident {
  readonly id: string
  readonly host: string
  /** Where its sandbox listens. */
  readonly address: string
  /** Everything it printed. */
  said(): string
  /** Waits until it has printed this. */
  heard(text: string): Promise<void>
}

export interface Town {
  readonly cage: Cage
  readonly site: TestGateway
  readonly origin: string
  /** Runs `program` with Node in a sandbox called `name`, and routes its name to it. It must print `open`. */
  settle(name: string, program: string): Promise<Resident>
  /** Writes these bytes on one connection from the attacker's address; answers what comes back until it is quiet. */
  send(bytes: string, options?: { quietMs?: number }): Promise<string>
  [Symbol.asyncDispose](): Promise<void>
}

export async function openTown(options: Parameters<typeof testGateway>[0] = {}): Promise<Town> {
  const stack = new AsyncDisposableStack()
  for (const address of [attacker, visitor]) addAddress(`${address}/32`)
  const cage = stack.use(await openCage({ network: 'ours' }))
  const site = stack.use(await testGateway(options))
  return {
    cage,
    site,
    origin: `http://127.0.0.1:${site.port}`,
    async settle(name, program) {
      const limits = { memoryBytes: 192 * mebibyte, pids: 64, cpuPercent: 100 }
      const argv = ['node', '-e', program]
      const { address } = await cage.client.start(spec({ id: name, image: 'node-26', argv, limits }))
      const said = () => printed(cage.client, name)
      const heard = async (what: string) => {
        await until(`${name} prints ${what}`, () => said().includes(what))
      }
      await heard('open')
      const resident = { id: newId(), host: `${name}.localhost`, address, said, heard }
      await site.gateway.route({ app: resident.id, host: resident.host, address, port: 8080 })
      return resident
    },
    send: (bytes, { quietMs = 400 } = {}) =>
      new Promise((resolve, reject) => {
        let said = ''
        const socket = createConnection({ port: site.port, host: '127.0.0.1', localAddress: attacker })
        socket.setTimeout(quietMs, () => socket.destroy())
        socket.on('connect', () => socket.write(bytes, 'latin1'))
        socket.on('data', (chunk) => (said += chunk.toString('latin1')))
        socket.on('error', (error: NodeJS.ErrnoException) =>
          error.code === 'ECONNRESET' ? resolve(said) : reject(error),
        )
        socket.on('close', () => resolve(said))
      }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/**
 * An app that says its name and what it was asked, and prints who it was asked for: as the gateway hands it on, each
 * request has the app's own host and an id.
 */
export const echoing = (name: string): string => `
require('node:http').createServer((request, response) => {
  const { host, 'x-request-id': id = 'none' } = request.headers
  console.log(['asked', request.method, request.url, host, id].join(' '))
  request.resume().on('error', () => 0).on('end', () => response.end('${name} ' + request.url + '\\n'))
}).listen(8080, () => console.log('open'))`

/** What an app was asked that the gateway did not hand to it: with the host of another, or without an id. */
export function strangeTo(app: Resident): string[] {
  const asked = app
    .said()
    .split('\n')
    .filter((line) => line.startsWith('asked '))
  if (asked.length === 0) throw new Error(`${app.host} was never asked anything`)
  return asked.filter((line) => {
    const [, , , host = '', id] = line.split(' ')
    return host.replace(/:\d+$/, '').toLowerCase() !== app.host || id === 'none'
  })
}
