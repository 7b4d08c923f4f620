/** For tests: a package door on loopback in front of registries that a test makes, as true or as false as it likes. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import http, { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, type Clock } from '../../clock.ts'
import { openDiagnostics } from '../../diagnostics.ts'
import { check, type Resolve } from '../check.ts'
import type { Listen } from '../door-server.ts'
import { openPackageDoor } from '../package-door.ts'
import { openShelves } from '../packages/shelves.ts'
import type { UpstreamSettings } from '../packages/upstream.ts'
import { TrafficTable } from '../traffic.ts'

export interface DoorOptions {
  readonly npm?: UpstreamSettings
  readonly python?: UpstreamSettings | (() => Promise<UpstreamSettings>)
  /** Kept when the door closes. */
  readonly folder?: string
  readonly clock?: Clock
  readonly resolve?: Resolve
  /** What one sandbox may move. */
  readonly bytes?: number
  /** What may be stored. */
  readonly room?: number
  readonly connections?: number
  readonly developmentRemotes?: readonly string[]
  /** Where sandboxes reach it; loopback otherwise. */
  readonly listen?: Listen
}

const nowhere: UpstreamSettings = { url: 'http://127.0.0.1:9/' }

export async function openTestDoor(options: DoorOptions) {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'perennial-packages-'))
  const { npm = nowhere, python = nowhere, clock = systemClock, resolve = async () => [] } = options
  const rules = { resolve, developmentRemotes: options.developmentRemotes ?? [] }
  const warnings: string[] = []
  const diagnostics = openDiagnostics({ level: 'warn', write: (line) => void warnings.push(line) })
  const shelves = await openShelves({
    folder,
    clock,
    diagnostics,
    check: (destination) => check(destination, rules),
    npm,
    python: typeof python === 'function' ? python : async () => python,
    maxBytes: options.room ?? 2 ** 30,
  })
  const { bytes = 2 ** 30, connections = 64 } = options
  const traffic = new TrafficTable({ bytes, connections, connectionMs: 60_000 })
  const { listen = { address: '127.0.0.1', peers: '127.0.0.0/8' } } = options
  const door = await openPackageDoor({ listen, traffic, shelves, diagnostics })
  return {
    ...door,
    folder,
    traffic,
    warnings,
    store: shelves.store,
    stored: (part: 'files' | 'notes' | 'incoming') => readdirSync(join(folder, part)),
    async [Symbol.asyncDispose]() {
      await door.close()
      await shelves.close()
      if (options.folder === undefined) rmSync(folder, { recursive: true })
    },
  }
}

export async function openTestRegistry(answer: (req: IncomingMessage, res: ServerResponse) => void) {
  const requests: string[] = []
  const server = createServer((req, res) => {
    requests.push(req.url ?? '')
    answer(req, res)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return {
    url: origin,
    origin,
    port,
    requests,
    close,
    [Symbol.asyncDispose]: () => (server.listening ? close() : Promise.resolve()),
  }
}

export const tarball = Buffer.from('not really a tarball, but the door does not look inside')

export function sha512(bytes: Buffer): string {
  return `sha512-${createHash('sha512').update(bytes).digest('base64')}`
}

export function pear(origin: string, dist: object = {}) {
  return {
    name: 'pear',
    version: '1.0.0',
    dist: { tarball: `${origin}/pear/-/pear-1.0.0.tgz`, integrity: sha512(tarball), ...dist },
  }
}

/** The document of `pear`, which has one version. */
export function orchardDocument(origin: string, dist: object = {}): string {
  return JSON.stringify({
    name: 'pear',
    'dist-tags': { latest: '1.0.0' },
    versions: { '1.0.0': pear(origin, dist) },
  })
}

/** A registry that has `pear` alone, with `served` as its tarball. */
export function orchard(served: Buffer = tarball, dist: object = {}) {
  return (req: IncomingMessage, res: ServerResponse) => {
    const origin = `http://${req.headers.host}`
    if (req.url === '/pear') res.end(orchardDocument(origin, dist))
    else if (req.url === '/pear/1.0.0') res.end(JSON.stringify(pear(origin, dist)))
    else if (req.url === '/pear/-/pear-1.0.0.tgz') res.end(served)
    else res.writeHead(404).end('{}')
  }
}

export interface Got {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** The exact path, as `fetch` would not send it; `from` is the sandbox that asks. */
export function get(
  door: { readonly port: number },
  path: string,
  {
    method = 'GET',
    headers = {},
    from = '127.0.0.1',
  }: { method?: string; headers?: Record<string, string>; from?: string } = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', localAddress: from, port: door.port, path, method, headers, agent: false }
    const req = http.request(options, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('end', () =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks).toString() }),
      )
      res.on('error', reject)
    })
    req.on('error', reject)
    req.end()
  })
}
