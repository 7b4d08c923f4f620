/** Runs one node until it is told to stop: reads its configuration, opens it, waits for a signal, closes it. */
import { readConfig, type Config } from './config.ts'
import { openNode } from './node.ts'

const stopped = new Promise<void>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
})
await using _node = await openNode(configOrEnd())
await stopped

/** What the operator wrote wrongly is said in the operator's words, without a stack. */
function configOrEnd(): Config {
  try {
    return readConfig(process.env)
  } catch (error) {
    console.error((error as Error).message)
    process.exit(2)
  }
}
