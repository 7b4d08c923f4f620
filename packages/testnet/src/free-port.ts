/**
 * A port of 127.0.0.1 that nobody has, for a program that is told where to listen. Imports nothing of ours.
 *
 * Until it listens there anybody may take the port. So it is one below those that the kernel gives to whoever asks for
 * any (`ip_local_port_range`), connections included: then only a test that draws the same number could.
 */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

const [FIRST, LAST] = [10_000, 32_000]

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, LAST)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
