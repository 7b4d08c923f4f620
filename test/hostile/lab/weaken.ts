/**
 * Controls for defences that sandboxd's verbs rightly cannot take away: the same sandbox, put together by the
 * daemon's own functions, with one part of its bundle changed. It lies in the same cage.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import type { SandboxSpec } from '../../../packages/sandbox/src/client/index.ts'
import type { Cage } from './cage.ts'

/** The one defence that is gone. */
export type Weakness =
  /** A file or folder of the host appears inside, below /tmp. */
  | { readonly gone: 'its own files'; readonly from: string; readonly to: string }
  /** Every system call is allowed. */
  | { readonly gone: 'seccomp' }
  /** It sees the processes of the host. */
  | { readonly gone: 'its own processes' }
  /** It is on the network of the cage's host. */
  | { readonly gone: 'its own network' }
  /** No file of /proc is covered or read-only. */
  | { readonly gone: 'covers on /proc' }
  /** Setuid programs of its scratch disk count. */
  | { readonly gone: 'powers by files' }
  /** Its users have all powers that their own namespace gives. */
  | { readonly gone: 'no capabilities' }
  /** The daemon does not know of it, so nobody looks what it does. */
  | { readonly gone: 'who looks' }
  /** Its folders in memory have no size. */
  | { readonly gone: 'sizes in memory' }

export interface Order {
  readonly at: Cage['at']
  readonly spec: SandboxSpec
  readonly weakness: Weakness
  readonly timeoutMs: number
}

export interface Weakened {
  readonly code: number
  readonly timedOut: boolean
  readonly said: string
}

/** The parts of an OCI configuration that are changed. */
interface OciConfig {
  process: { noNewPrivileges: boolean; capabilities: Record<string, string[]> }
  mounts: { destination: string; source: string; type: string; options: string[] }[]
  linux: {
    namespaces: { type: string; path?: string }[]
    seccomp?: object
    maskedPaths: string[]
    readonlyPaths: string[]
  }
}

const main = fileURLToPath(new URL('weakened.ts', import.meta.url))

export async function runWeakened(
  cage: Cage,
  { spec, weakness, timeoutMs = 20_000 }: { spec: SandboxSpec; weakness: Weakness; timeoutMs?: number },
): Promise<Weakened> {
  const order: Order = { at: cage.at, spec, weakness, timeoutMs }
  const inside = ['nsenter', `--mount=${join(cage.at.root, 'ns/mnt')}`, '--', process.execPath, main]
  const [tool, ...argv] = [...cage.island.enter, ...inside, JSON.stringify(order)]
  const { stdout } = await promisify(execFile)(tool, argv, {
    maxBuffer: 64 * 2 ** 20,
    timeout: timeoutMs + 60_000,
  })
  return JSON.parse(stdout) as Weakened
}

export function weaken(config: OciConfig, weakness: Weakness): OciConfig {
  const { mounts, linux } = config
  switch (weakness.gone) {
    case 'its own files': {
      const bind = { destination: weakness.to, source: weakness.from, type: 'bind', options: ['rbind', 'rw'] }
      return { ...config, mounts: [...mounts, bind] }
    }
    case 'seccomp': {
      const { seccomp: _, ...rest } = linux
      return { ...config, linux: rest }
    }
    case 'its own processes': {
      const hosts = { destination: '/proc', source: '/proc', type: 'bind', options: ['rbind'] }
      const others = mounts.filter(({ destination }) => destination !== '/proc')
      const namespaces = linux.namespaces.filter(({ type }) => type !== 'pid')
      return { ...config, mounts: [hosts, ...others], linux: { ...linux, namespaces } }
    }
    case 'its own network': {
      const namespaces = linux.namespaces.map((one) =>
        one.type === 'network' ? { ...one, path: '/proc/self/ns/net' } : one,
      )
      return { ...config, linux: { ...linux, namespaces } }
    }
    case 'covers on /proc':
      return { ...config, linux: { ...linux, maskedPaths: [], readonlyPaths: [] } }
    case 'powers by files':
      return {
        ...config,
        process: { ...config.process, noNewPrivileges: false },
        mounts: mounts.map((one) => ({ ...one, options: one.options.filter((word) => word !== 'nosuid') })),
      }
    case 'no capabilities': {
      const all = ['CAP_SETFCAP', 'CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'CAP_DAC_OVERRIDE', 'CAP_SETUID']
      const sets = ['bounding', 'effective', 'inheritable', 'permitted', 'ambient']
      const capabilities = Object.fromEntries(sets.map((set) => [set, all]))
      return { ...config, process: { ...config.process, capabilities } }
    }
    case 'who looks':
      return config
    case 'sizes in memory':
      return {
        ...config,
        mounts: mounts.map((one) => ({ ...one, options: one.options.filter((word) => !word.startsWith('size=')) })),
      }
  }
}
