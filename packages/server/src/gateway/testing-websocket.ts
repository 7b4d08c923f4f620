/** For tests: the upgrade of a WebSocket and whatever bytes follow it; frames are not the gateway's business. */
import { createHash } from 'node:crypto'
import type { Server } from 'node:http'
import { connect } from 'node:net'

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The server says back whatever comes over an upgraded connection. */
export function speakWebSocket(server: Server): void {
  server.on('upgrade', (incoming, socket) => {
    socket.on('error', () => socket.destroy())
    const accept = createHash('sha1').update(`${incoming.headers['sec-websocket-key']}${MAGIC}`).digest('base64')
    const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
    socket.write(`${head}Sec-WebSocket-Accept: ${accept}\r\n\r\n`)
    socket.pipe(socket)
  })
}

export interface TestWebSocket extends AsyncDisposable {
  /** Sends and answers what comes back next. */
  say(text: string): Promise<string>
  close(): Promise<void>
}

/** Rejects with what was answered instead of an upgrade. */
export async function openWebSocket(port: number, host: string): Promise<TestWebSocket> {
  const socket = connect(port, '127.0.0.1')
  const next = () =>
    new Promise<string>((resolve, reject) => {
      socket.once('data', (chunk) => resolve(chunk.toString()))
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('the connection was closed')))
    })
  const head = next()
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`)
  socket.write('Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  const answer = await head
  const close = () =>
    new Promise<void>((resolve) => {
      if (socket.destroyed) return resolve()
      socket.once('close', () => resolve())
      socket.destroy()
    })
  if (!answer.startsWith('HTTP/1.1 101')) {
    await close()
    throw new Error(answer.split('\r\n')[0])
  }
  return {
    say(text) {
      const said = next()
      socket.write(text)
      return said
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
