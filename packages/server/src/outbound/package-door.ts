/**
 * The door for packages: a read-only registry for npm inside a build, which hands out nothing unverified.
 *
 * GET and HEAD of the paths in package-path.ts; everything else is 404 or 405. Errors are npm's own shape,
 * `{"error":"…"}`, so that the sentence reaches the build log.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Diagnostics } from '../diagnostics.ts'
import { listenOnDoor, type DoorServer, type Listen } from './door-server.ts'
import { WrongIntegrity, type Packages } from './packages.ts'
import { parsePackagePath } from './package-path.ts'
import { MalformedPackument, ORIGIN } from './packument.ts'
import { RegistryUnreachable } from './registry.ts'
import type { Traffic, TrafficTable } from './traffic.ts'

export interface PackageDoorOptions {
  readonly listen: Listen
  readonly traffic: TrafficTable
  readonly packages: Packages
  readonly diagnostics: Diagnostics
}

export async function openPackageDoor({
  listen,
  traffic,
  packages,
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
  const door = await listenOnDoor(server, { listen, traffic })
  const origin = `http://${door.address}:${door.port}`

  async function answer(req: IncomingMessage, res: ServerResponse, row: Traffic): Promise<void> {
    if (req.method !== 'GET' && req.method !== 'HEAD') return say(res, 405, 'this registry is read-only')
    const path = parsePackagePath(req.url ?? '')
    if (!path) return say(res, 404, 'this registry has package documents and tarballs only')
    try {
      if (path.file === undefined) await sendDocument({ req, res, row, name: path.name })
      else await sendTarball({ req, res, row, name: path.name, file: path.file })
    } catch (error) {
      if (res.headersSent) throw error
      const status =
        error instanceof WrongIntegrity || error instanceof MalformedPackument
          ? 422
          : error instanceof RegistryUnreachable
            ? 502
            : 500
      diagnostics.warn('a package could not be handed out', { package: path.name, file: path.file, error })
      say(res, status, status === 500 ? 'the package door failed' : (error as Error).message)
    }
  }

  async function sendDocument({ req, res, row, name }: Sending): Promise<void> {
    const found = await packages.document(name)
    if (!found) return say(res, 404, `there is no package ${name}`)
    const body = Buffer.from(found.text.replaceAll(ORIGIN, origin))
    res.writeHead(200, { 'content-type': 'application/vnd.npm.install-v1+json', 'content-length': body.length })
    if (req.method === 'HEAD') return void res.end()
    await pipeline([body], traffic.meter(row), res)
  }

  async function sendTarball({ req, res, row, name, file }: Sending & { file: string }): Promise<void> {
    const path = await packages.tarball(name, file)
    if (path === null) return say(res, 404, `${name} has no file ${file}`)
    res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': (await stat(path)).size })
    if (req.method === 'HEAD') return void res.end()
    await pipeline(createReadStream(path), traffic.meter(row), res)
  }

  return { ...door, origin }
}

interface Sending {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly row: Traffic
  readonly name: string
}

function say(res: ServerResponse, status: number, error: string): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }))
}
