/** What a sandbox is asked for, to run one release as an app. */
import type { Limits } from '@perennial/protocol'
import type { SandboxSpec } from '@perennial/sandbox/client'
import type { Prepared } from './data/index.ts'

export const APP_PORT = 8080
/** Boot dominates a start; the limit that is sold applies once the app answers. */
export const BOOT_CPU_PERCENT = 200
const PIDS = 128

export interface Runnable {
  /** SHA-256 of the image. */
  readonly sha256: string
  readonly image: SandboxSpec['image']
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Below /app; empty: /app itself. */
  readonly cwd: string
}

export function specOf(run: {
  readonly id: string
  readonly release: Runnable
  readonly limits: Limits
  /** Of one core. */
  readonly cpuPercent: number
  /** Where people reach the app. */
  readonly url: string
  /** Money that somebody gave for it pays; without, it gets no way out. */
  readonly funded: boolean
  readonly data: Prepared
}): SandboxSpec {
  const { id, release, limits, cpuPercent, url, funded, data } = run
  return {
    id,
    image: release.image,
    release: release.sha256,
    ...(data.owner !== null && { owner: data.owner }),
    ...(data.mounts.length > 0 && { mounts: data.mounts }),
    writableBytes: limits.diskBytes,
    argv: release.argv,
    env: {
      NODE_ENV: 'production',
      ...release.env,
      ...data.env,
      // Many servers listen on loopback unless told; the gateway comes from outside the app's namespace.
      HOST: '0.0.0.0',
      PORT: String(APP_PORT),
      APP_URL: url,
    },
    cwd: release.cwd === '' ? '/app' : `/app/${release.cwd}`,
    user: 'app',
    limits: { memoryBytes: limits.memoryBytes, pids: PIDS, cpuPercent },
    network: funded ? 'internet' : 'none',
  }
}
