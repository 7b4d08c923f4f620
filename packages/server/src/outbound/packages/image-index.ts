/** Which Python package index the pip of builds has built in: asked of that very pip, in a sandbox without a network. */
import type { SandboxClient } from '@perennial/sandbox/client'
import { readOutput } from '../../output.ts'
import { PRINT_DEFAULT_INDEX } from './pip-settings.ts'

const ID = 'pip-index'
const TIMEOUT_MS = 120_000
const MIB = 2 ** 20

/** Null if it prints no address. */
export async function imageIndex(sandbox: SandboxClient): Promise<string | null> {
  await sandbox.start({
    id: ID,
    image: 'build-python',
    writableBytes: 8 * MIB,
    argv: ['python3', '-c', PRINT_DEFAULT_INDEX],
    env: { PATH: '/usr/bin:/bin', HOME: '/tmp' },
    cwd: '/app',
    user: 'app',
    limits: { memoryBytes: 256 * MIB, pids: 16, cpuPercent: 100 },
    network: 'none',
  })
  await sandbox.wait({ id: ID, timeoutMs: TIMEOUT_MS })
  try {
    const lines = await readOutput(sandbox.logPath(ID))
    return lines.map(({ bytes }) => bytes.toString().trim()).find((text) => URL.canParse(text)) ?? null
  } finally {
    await sandbox.remove({ id: ID })
  }
}
