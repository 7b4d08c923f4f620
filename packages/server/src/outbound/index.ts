/**
 * The one door out: every outbound call made for a stranger is resolved, checked and connected here.
 *
 * Sandboxes reach two listeners on the host's sandbox address: a proxy for git and a read-only package registry.
 * Nothing else of the host or its networks is open to them.
 */
import { join } from 'node:path'
import type { Refusal } from '@perennial/protocol'
import type { Services } from '../services.ts'
import { check, resolveByName, type Checked, type Destination, type Resolve } from './check.ts'
import { openGitProxy } from './git-proxy.ts'
import { openPackageDoor } from './package-door.ts'
import { npmSettings } from './packages/npm-settings.ts'
import { builtInIndex, pipSettings } from './packages/pip-settings.ts'
import { openShelves } from './packages/shelves.ts'
import type { UpstreamSettings } from './packages/upstream.ts'
import { TrafficTable, type TrafficLimits } from './traffic.ts'

export type { Checked, Resolve } from './check.ts'
export { packageEnvironment } from './packages/environment.ts'
export { imageIndex } from './packages/image-index.ts'
export type { UpstreamSettings } from './packages/upstream.ts'

export interface Door {
  readonly address: string
  readonly port: number
}

export interface Outbound {
  /** `http://address:port` is what git takes as its proxy. */
  readonly gitProxy: Door
  /** `origin` is what npm takes as its registry. */
  readonly packageDoor: Door & { readonly origin: string }
  /** Whether the host of `url` may be reached, and at which address exactly. */
  check(url: URL): Promise<Checked | Refusal>
  /** What a sandbox moved through the doors since it began or was forgotten. */
  bytes(sandboxAddress: string): bigint
  /** The last "no" that a sandbox got from a door: programs inside hide it. */
  refusal(sandboxAddress: string): Refusal | null
  /** Hosts (`host:port`) that it asked the package door for, as its proxy, and was told no; at most eight. */
  turnedAway(sandboxAddress: string): readonly string[]
  /** To be called when a sandbox is removed: its address goes to another one. */
  forget(sandboxAddress: string): void
  close(): Promise<void>
}

export interface OutboundOptions {
  /** The host's address on the sandboxes' side, and the range of theirs (`address/bits`), as sandboxd's `probe` says. */
  readonly doorAddress: string
  readonly subnet: string
  /** Tests bring their own. */
  readonly resolve?: Resolve
  readonly registry?: UpstreamSettings
  readonly pythonIndex?: UpstreamSettings
  /** The index that the pip of builds has built in; asked when the machine's configuration names none. */
  readonly defaultIndex?: () => Promise<string | null>
  readonly limits?: TrafficLimits
}

/** A large repository and a large install fit; a build that mirrors the registry does not. */
const LIMITS: TrafficLimits = { bytes: 2 * 2 ** 30, connections: 64, connectionMs: 15 * 60_000 }

export async function openOutbound(
  services: Pick<Services, 'config' | 'clock' | 'diagnostics'>,
  { doorAddress, subnet, resolve = resolveByName, limits = LIMITS, ...options }: OutboundOptions,
): Promise<Outbound> {
  const { config, clock, diagnostics } = services
  const rules = { resolve, developmentRemotes: config.developmentRemotes }
  const checked = (destination: Destination) => check(destination, rules)
  const isDevelopment = ({ host, port }: Destination) => config.developmentRemotes.includes(`${host}:${port}`)
  const listen = { address: doorAddress, peers: subnet }
  const traffic = new TrafficTable(limits)
  const shelves = await openShelves({
    folder: join(config.data, 'packages'),
    clock,
    diagnostics,
    check: checked,
    npm: options.registry ?? (await npmSettings()),
    python: async () => options.pythonIndex ?? (await pipSettings(options.defaultIndex ?? builtInIndex)),
  })
  const gitProxy = await openGitProxy({ listen, traffic, check: checked, isDevelopment })
  const packageDoor = await openPackageDoor({ listen, traffic, shelves, diagnostics })

  return {
    gitProxy: { address: gitProxy.address, port: gitProxy.port },
    packageDoor: { address: packageDoor.address, port: packageDoor.port, origin: packageDoor.origin },
    check: (url) =>
      checked({
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port: Number(url.port || (url.protocol === 'http:' ? 80 : 443)),
      }),
    bytes: (address) => traffic.peek(address)?.bytes ?? 0n,
    refusal: (address) => traffic.peek(address)?.refusal ?? null,
    turnedAway: (address) => [...(traffic.peek(address)?.turnedAway ?? [])],
    forget: (address) => traffic.forget(address),
    async close() {
      await Promise.all([gitProxy.close(), packageDoor.close()])
      await shelves.close()
    },
  }
}
