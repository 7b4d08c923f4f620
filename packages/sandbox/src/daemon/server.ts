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
import { ignoreMissing } from './mounts.ts'
import { Refusal } from './refuse.ts'
import { inputOf, isVerb } from './validate.ts'
import type { Handlers } from './verbs.ts'

const maxConnections = 64
/** A connection that has more requests under way than this is not read from until some are answered. */
const maxUnderWay = 256

export const socketPath = (at: { root: string }) => join(at.root, socketName)

export async function listen(at: Instance, handlers: Handlers): Promise<Server> {
  const path = socketPath(at)
  try {
    unlinkSync(path)
  } catch (error) {
    ignoreMissing(error as NodeJS.ErrnoException)
  }
  const server = createServer((socket) => serve(socket, handlers))
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

function serve(socket: Socket, handlers: Handlers): void {
  let buffered = Buffer.alloc(0)
  let underWay = 0
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk])
    for (let end = buffered.indexOf(10); end >= 0; end = buffered.indexOf(10)) {
      const line = buffered.subarray(0, end)
      buffered = buffered.subarray(end + 1)
      if (line.length >= maxLineBytes) return void socket.destroy()
      void answer(line)
    }
    if (buffered.length >= maxLineBytes) socket.destroy()
  })

  async function answer(line: Buffer): Promise<void> {
    if (++underWay >= maxUnderWay) socket.pause()
    const text = await handle(line.toString('utf8'), handlers)
    if (socket.writable) socket.write(`${text}\n`)
    if (--underWay < maxUnderWay) socket.resume()
  }
}

/** Never throws: whatever is wrong becomes an answer. */
export async function handle(line: string, handlers: Handlers): Promise<string> {
  let id: number | null = null
  try {
    const request = parse(line)
    id = request.id
    const { verb } = request
    if (!isVerb(verb)) throw new Refusal('invalid', 'there is no such verb')
    const result = await (handlers[verb] as (input: unknown) => Promise<unknown>)(inputOf(verb, request.input))
    return JSON.stringify({ id, result })
  } catch (error) {
    return JSON.stringify({ id, error: describe(error) })
  }
}

function parse(line: string): { id: number; verb: unknown; input: unknown } {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new Refusal('invalid', 'a request must be one line of JSON')
  }
  if (typeof value !== 'object' || value === null) throw new Refusal('invalid', 'a request must be an object')
  const { id, verb, input } = value as { id?: unknown; verb?: unknown; input?: unknown }
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) throw new Refusal('invalid', 'id must be a whole number')
  return { id, verb, input }
}

function describe(error: unknown): { code: ErrorCode; message: string } {
  if (error instanceof Refusal) return { code: error.code, message: error.message }
  const message = error instanceof Error ? error.message : String(error)
  console.error(error)
  return { code: 'failed', message: message.slice(0, 4096) }
}
