/**
 * conmon and crun that are still making a container for a daemon that was killed, or that gave up waiting: what they
 * make after everything of that sandbox was cleared would belong to nobody.
 */
import { exitsFolder, stateFolder } from './conmon.ts'
import type { Instance } from './instance.ts'
import { kill, processesOfRoot } from './processes.ts'

const endTimeoutMs = 5000

/** Ends them and waits until they are gone. `isStray` tells by the sandbox's id. */
export async function endStrays(at: Instance, isStray: (id: string) => boolean): Promise<void> {
  for (const deadline = Date.now() + endTimeoutMs; ; await new Promise((resolve) => setTimeout(resolve, 10))) {
    const strays = processesOfRoot().filter(({ argv }) => isStray(idOf(at, argv) ?? ''))
    if (strays.length === 0) return
    if (Date.now() > deadline)
      throw new Error(`process ${strays[0]?.pid}, which makes a sandbox that nobody wants, does not end`)
    for (const { pid } of strays) kill(pid)
  }
}

/** Of the sandbox that this process makes or supervises for a daemon with our folders; undefined for any other. */
function idOf(at: Instance, argv: readonly string[]): string | undefined {
  const program = argv[0]?.split('/').at(-1)
  const after = (word: string) => argv[argv.indexOf(word) + 1]
  if (program === 'conmon' && after('--exit-dir') === exitsFolder(at)) return after('-c')
  const isOurs = program === 'crun' && argv.includes(`--root=${stateFolder(at)}`) && argv.includes('create')
  return isOurs ? argv.at(-1) : undefined
}
