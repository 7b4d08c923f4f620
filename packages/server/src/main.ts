/**
 * Runs one node until it is told to stop: reads its configuration, opens it, waits for a signal, closes it.
 *
 * The rest is imported only once the signals are listened to: told to stop while it loads, the node still opens and
 * closes, and so takes along what a killed one before it left running.
 */
const stopped = new Promise<void>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
})
const { readConfig } = await import('./config.ts')
const { openNode } = await import('./node.ts')

await using _node = await openNode(configOrEnd())
await stopped

/** What the operator wrote wrongly is said in the operator's words, without a stack. */
function configOrEnd(): ReturnType<typeof readConfig> {
  try {
    return readConfig(process.env)
  } catch (error) {
    console.error((error as Error).message)
    process.exit(2)
  }
}

export {}
