/** For tests: a node that builds, as a process of its own, until it is killed. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Orders } from './killed-builder.ts'

/** A life of the node: until it dies at its point, or is killed from outside. */
export async function live(orders: Orders, afterMs = 0): Promise<void> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('killed-builder.ts', import.meta.url)), JSON.stringify(orders)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.stdout.on('data', (chunk: Buffer) => {
    if (orders.point === 'none' && chunk.includes('open')) setTimeout(() => child.kill('SIGKILL'), afterMs)
  })
  const tooLong = setTimeout(() => child.kill('SIGTERM'), 60_000)
  await ended
  clearTimeout(tooLong)
  assert.equal(child.signalCode, 'SIGKILL', `the child came to ${orders.point}`)
}
