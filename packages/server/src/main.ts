/** Runs one node until it is told to stop: reads its configuration, opens it, waits for a signal, closes it. */
import { readConfig } from './config.ts'
import { openNode } from './node.ts'

await using _node = await openNode(readConfig(process.env))
await new Promise<void>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
})
