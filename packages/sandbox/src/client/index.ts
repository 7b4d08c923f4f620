/**
 * Calls the sandbox daemon. One connection, made on first use and made again when the daemon was restarted:
 * every verb may be repeated, so a call that was under way is simply sent once more.
 */
import { dirname, join } from 'node:path'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { archivesFolder, logsFolder, maxLineBytes, releasesFolder } from '../verbs.ts'
import type {
  Archive,
  Capabilities,
  ErrorCode,
  Exit,
  ImageName,
  Reading,
  Release,
  Sandbox,
  SandboxSpec,
  Verb,
  Verbs,
  Volume,
  WireReading,
} from '../verbs.ts'

export { imageNames, maxLineBytes } from '../verbs.ts'
export type * from '../verbs.ts'

export interface SandboxClient {
  probe(): Promise<Capabilities>
  /** Creates and starts; an id that exists with the same spec is returned as it is. */
  start(spec: SandboxSpec): Promise<Sandbox>
  list(): Promise<Sandbox[]>
  /** Every sandbox in one round trip; an exited one keeps its last reading until it is removed. */
  read(): Promise<Reading[]>
  /** TERM, then KILL after `graceMs`. The last reading stays readable. */
  stop(input: { id: string; graceMs: number }): Promise<Sandbox>
  freeze(input: { id: string }): Promise<Sandbox>
  thaw(input: { id: string }): Promise<Sandbox>
  limit(input: { id: string; cpuPercent: number }): Promise<Sandbox>
  remove(input: { id: string }): Promise<void>
  /** Null when it still runs after `timeoutMs`. */
  wait(input: { id: string; timeoutMs: number }): Promise<Exit | null>
  /** What the sandbox printed: a k8s-file log that starts over when it is full, gone when it is removed. */
  logPath(id: string): string
  releasePath(sha256: string): string
  /** Its manifest: one line per file, `<mode> <sha256 or -> <size> <path>`, sorted by path. */
  filesPath(sha256: string): string
  archivePath(id: string): string
  /** Makes it, or makes it larger; it never shrinks. */
  volume(input: { id: string; owner: string; sizeBytes: number }): Promise<Volume>
  volumes(): Promise<Volume[]>
  /** Each sandbox that has `from` mounted must be frozen or ended. `to` is replaced once the copy is whole. */
  copyVolume(input: { from: string; to: string }): Promise<Volume>
  removeVolume(input: { id: string }): Promise<void>
  /** Keeps one file of a scratch disk; an id that exists is returned as it is. */
  keepArchive(input: { scratch: string; path: string; id: string }): Promise<Archive>
  archives(): Promise<Archive[]>
  removeArchive(input: { id: string }): Promise<void>
  /** With a base, /app starts as the files of that release. */
  scratch(input: { id: string; sizeBytes: number; base?: string }): Promise<void>
  removeScratch(input: { id: string }): Promise<void>
  /** `only`: the folders of that name and nothing else, each where it was. */
  pack(input: { scratch: string; path?: string; only?: string }): Promise<Release>
  releases(): Promise<Release[]>
  removeRelease(input: { sha256: string }): Promise<void>
  image(input: { name: ImageName }): Promise<{ sha256: string }>
  close(): void
}

/** The daemon said no. */
export class SandboxRefused extends Error {
  override readonly name = 'SandboxRefused'
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Nobody answers at the socket. */
export class SandboxUnavailable extends Error {
  override readonly name = 'SandboxUnavailable'
}

/** How long calls wait for a restarted daemon. */
const reconnectMs = 30_000
const retryEveryMs = 100

interface Call {
  readonly line: string
  readonly since: number
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/** `socket` is `<root>/sandboxd.sock`; logs and releases are found beside it. */
export function sandboxClient({ socket: path }: { socket: string }): SandboxClient {
  const root = dirname(path)
  const calls = new Map<number, Call>()
  let connection: Socket | undefined
  let retry: NodeJS.Timeout | undefined
  let lastId = 0
  let closed = false

  function call<V extends Verb>(verb: V, input: Verbs[V]['input']): Promise<Verbs[V]['result']> {
    const id = ++lastId
    const line = `${JSON.stringify({ id, verb, input })}\n`
    if (Buffer.byteLength(line) > maxLineBytes)
      return Promise.reject(new SandboxRefused('invalid', `${verb}: the request is larger than ${maxLineBytes} bytes`))
    if (closed) return Promise.reject(new SandboxUnavailable(`the client for ${path} was closed`))
    return new Promise((resolve, reject) => {
      calls.set(id, { line, since: Date.now(), resolve: resolve as (result: unknown) => void, reject })
      if (connection) connection.ref().write(line)
      else if (!retry) open()
    })
  }

  function open(): void {
    retry = undefined
    const socket = connect(path)
    connection = socket
    let buffered = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      const lines = (buffered + chunk).split('\n')
      buffered = lines.pop() ?? ''
      // Calls that were under way are asked again on the next connection.
      if (!lines.every(answer)) socket.destroy(new Error('it sent a line that is no answer'))
      else if (calls.size === 0) socket.unref()
    })
    let reason = 'the daemon closed the connection'
    socket.on('error', (error) => {
      reason = error.message
    })
    socket.on('close', () => {
      if (connection === socket) connection = undefined
      lost(reason)
    })
    for (const { line } of calls.values()) socket.write(line)
  }

  /** Whether the line is an answer at all. */
  function answer(line: string): boolean {
    const message = parse(line)
    if (!message) return false
    const id = message.id ?? 0
    const found = calls.get(id)
    if (!found) return true
    calls.delete(id)
    if (message.error) found.reject(new SandboxRefused(message.error.code, message.error.message))
    else found.resolve(message.result)
    return true
  }

  function lost(reason: string): void {
    for (const [id, found] of calls) {
      if (!closed && Date.now() - found.since < reconnectMs) continue
      calls.delete(id)
      found.reject(new SandboxUnavailable(`no sandbox daemon answers at ${path}: ${reason}`))
    }
    if (calls.size > 0) retry = setTimeout(open, retryEveryMs)
  }

  return {
    probe: () => call('probe', {}),
    start: (spec) => call('start', spec),
    list: () => call('list', {}),
    read: async () => (await call('read', {})).map(reading),
    stop: (input) => call('stop', input),
    freeze: (input) => call('freeze', input),
    thaw: (input) => call('thaw', input),
    limit: (input) => call('limit', input),
    remove: async (input) => void (await call('remove', input)),
    wait: (input) => call('wait', input),
    logPath: (id) => join(root, logsFolder, `${id}.log`),
    releasePath: (sha256) => join(root, releasesFolder, `${sha256}.sqfs`),
    filesPath: (sha256) => join(root, releasesFolder, `${sha256}.files`),
    archivePath: (id) => join(root, archivesFolder, id),
    volume: (input) => call('volume', input),
    volumes: () => call('volumes', {}),
    copyVolume: (input) => call('copyVolume', input),
    removeVolume: async (input) => void (await call('removeVolume', input)),
    keepArchive: (input) => call('keepArchive', input),
    archives: () => call('archives', {}),
    removeArchive: async (input) => void (await call('removeArchive', input)),
    scratch: async (input) => void (await call('scratch', input)),
    removeScratch: async (input) => void (await call('removeScratch', input)),
    pack: (input) => call('pack', input),
    releases: () => call('releases', {}),
    removeRelease: async (input) => void (await call('removeRelease', input)),
    image: (input) => call('image', input),
    close() {
      closed = true
      clearTimeout(retry)
      if (connection) connection.destroy()
      else lost('the client was closed')
    },
  }
}

function reading(wire: WireReading): Reading {
  return {
    ...wire,
    cpuNs: BigInt(wire.cpuNs),
    memoryBytes: BigInt(wire.memoryBytes),
    egressBytes: BigInt(wire.egressBytes),
    diskBytes: BigInt(wire.diskBytes),
  }
}

interface Answer {
  /** Null answers a line in which the daemon found none. */
  readonly id: number | null
  readonly result?: unknown
  readonly error?: { readonly code: ErrorCode; readonly message: string }
}

/** Undefined for a torn line, as of a daemon that was killed, and for what is no answer. */
function parse(line: string): Answer | undefined {
  try {
    const answer = JSON.parse(line) as Answer | null
    return typeof answer?.id === 'number' || answer?.id === null ? answer : undefined
  } catch {
    return undefined
  }
}
