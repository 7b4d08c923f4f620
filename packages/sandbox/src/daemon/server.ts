/**
 * The socket: one JSON line in, one out. Node cannot ask the kernel who the peer is (SO_PEERCRED), so the
 * kernel is made to check it: the socket file is mode 0600 and belongs to the one user who may connect, and it
 * lies in a folder that only root can change, so that nobody can put another file in its place.
 */
import { chownSync, unlinkSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'
import { maxLineBytes, socketName } from '../verbs.ts'
import type { ErrorCode } from '../verbs.ts'
import type { Instance } from './instance.ts'
import { openLines } from './lines.ts'
import { openLoad } from './load.ts'
import type { Load } from './load.ts'
import { ignoreMissing } from './mounts.ts'
import { Refusal } from './refuse.ts'
import { inputOf, isVerb } from './validate.ts'
import type { Handlers } from './verbs.ts'

const maxConnections = 16
/** Whoever does not read so many bytes of answers is asked nothing more… */
const muchOutputBytes = 2 ** 20
/** …and whoever has left so many, as answers of requests that were under way add up, has gone away. */
const maxOutputBytes = 16 * 2 ** 20
/** It may quote what somebody sent. */
const maxMessageLength = 4096

export const socketPath = (at: { root: string }) => join(at.root, socketName)

export async function listen(at: Instance, handlers: Handlers): Promise<Server> {
  const path = socketPath(at)
  try {
    unlinkSync(path)
  } catch (error) {
    ignoreMissing(error as NodeJS.ErrnoException)
  }
  const load = openLoad()
  const server = createServer((socket) => serve(socket, handlers, load))
  server.maxConnections = maxConnections
  const before = process.umask(0o177)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  process.umask(before)
  chownSync(path, at.uid, at.gid)
  return server
}

export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

function serve(socket: Socket, handlers: Handlers, load: Load): void {
  const lines = openLines()
  socket.on('error', () => socket.destroy())
  socket.on('close', () => load.forget(go))
  socket.on('drain', go)
  socket.on('data', (chunk: Buffer) => {
    lines.push(chunk)
    go()
  })

  /** Takes requests as long as there is room for them and for their answers; then nothing more is read. */
  function go(): void {
    while (!socket.destroyed) {
      if (!load.hasRoom() || socket.writableLength >= muchOutputBytes) {
        socket.pause()
        return load.stall(go)
      }
      const line = lines.next()
      if ((line?.length ?? lines.heldBytes) >= maxLineBytes) return void socket.destroy()
      if (!line) return void socket.resume()
      void answer(line.toString('utf8'))
    }
  }

  async function answer(line: string): Promise<void> {
    const request = parse(line)
    const done = load.take(request.verb === 'wait' ? 'wait' : 'work')
    const text = await handle(request, handlers)
    if (socket.writable) socket.write(`${text}\n`)
    if (socket.writableLength > maxOutputBytes) socket.destroy()
    done()
    go()
  }
}

interface Request {
  /** Null when the line held none. */
  readonly id: number | null
  readonly verb: unknown
  readonly input: unknown
  /** What is wrong with the line. */
  readonly fault?: string
}

/** Never throws: whatever is wrong becomes an answer. */
async function handle({ id, verb, input, fault }: Request, handlers: Handlers): Promise<string> {
  try {
    if (fault !== undefined) throw new Refusal('invalid', fault)
    if (!isVerb(verb)) throw new Refusal('invalid', 'there is no such verb')
    const result = await (handlers[verb] as (input: unknown) => Promise<unknown>)(inputOf(verb, input))
    return JSON.stringify({ id, result })
  } catch (error) {
    return JSON.stringify({ id, error: describe(error) })
  }
}

function parse(line: string): Request {
  const none = { id: null, verb: undefined, input: undefined }
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return { ...none, fault: 'a request must be one line of JSON' }
  }
  if (typeof value !== 'object' || value === null) return { ...none, fault: 'a request must be an object' }
  const { id, verb, input } = value as { id?: unknown; verb?: unknown; input?: unknown }
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) return { ...none, fault: 'id must be a whole number' }
  return { id, verb, input }
}

function describe(error: unknown): { code: ErrorCode; message: string } {
  const text = error instanceof Error ? error.message : String(error)
  const message = text.slice(0, maxMessageLength)
  if (error instanceof Refusal) return { code: error.code, message }
  console.error(error)
  return { code: 'failed', message }
}
