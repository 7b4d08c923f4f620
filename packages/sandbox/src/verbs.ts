/**
 * What the sandbox daemon can be asked, in one place: the client sends these shapes, the daemon checks them.
 *
 * Wire form: one JSON object per line over the unix socket. A request is
 * `{"id":7,"verb":"start","input":{…}}`, its answer `{"id":7,"result":{…}}` or
 * `{"id":7,"error":{"code":"missing","message":"…"}}`. Answers come in any order. Byte and nanosecond
 * counters travel as decimal strings, since JSON numbers end at 2^53. Every verb may be repeated: the
 * second call with the same id finds the work done.
 */

/** A host-side TCP address that a sandbox may reach; it must be at the daemon's door address. */
export interface Door {
  readonly address: string
  readonly port: number
}

/** `none`: replies only. Doors: those addresses too. `internet`: public addresses, bytes counted. */
export type Network = 'none' | { readonly doors: readonly Door[] } | 'internet'

export const imageNames = [
  'node-24',
  'node-26',
  'static',
  'python',
  'postgres',
  'base',
  'build-24',
  'build-26',
  'build-python',
  'git',
] as const
export type ImageName = (typeof imageNames)[number]

/**
 * What else a sandbox sees at `at`: `/data`, or a path below `/data/`, `/run/` or `/app/`, none of them below another.
 * Folders on the way are made; below /app, a link on the way that the release or the build planted is refused.
 */
export type Mount =
  /** A durable disk of the same owner. */
  | { readonly kind: 'volume'; readonly id: string; readonly at: string; readonly readOnly?: boolean }
  /** A small folder in memory that all sandboxes that name it see: for unix sockets. It goes with the last of them. */
  | { readonly kind: 'share'; readonly id: string; readonly at: string }
  /** An archive, as a file that can be read. */
  | { readonly kind: 'archive'; readonly id: string; readonly at: string }

export interface SandboxSpec {
  /** `[a-z0-9-]{1,48}`, chosen by the caller. */
  readonly id: string
  /** The read-only root file system. */
  readonly image: ImageName
  /** SHA-256 (hex) of a release: it appears at /app below an ephemeral writable layer. */
  readonly release?: string
  /** Id of a scratch disk: it appears at /app, writable and kept, instead of a release. */
  readonly scratch?: string
  /** At most 8. */
  readonly mounts?: readonly Mount[]
  /** Whose sandbox it is, `[a-z0-9-]{1,48}`: a volume is mounted for its own owner only. */
  readonly owner?: string
  /** Size of the ephemeral disk that takes writes to /app (above the release) and /tmp; full is ENOSPC. */
  readonly writableBytes: number
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Uid 1000 or 0 inside the sandbox's own user namespace; neither is a user of the host. */
  readonly user: 'app' | 'root'
  readonly limits: {
    readonly memoryBytes: number
    readonly pids: number
    /** Of one core: 200 is two cores. */
    readonly cpuPercent: number
  }
  readonly network: Network
}

export interface Exit {
  readonly code: number
  readonly signal?: string
  readonly reason: 'exited' | 'memory' | 'killed'
  /** For people: "exited with code 1". */
  readonly sentence: string
}

export interface Sandbox {
  readonly id: string
  readonly state: 'created' | 'running' | 'frozen' | 'exited'
  /** IPv4 address at which the host reaches the sandbox. */
  readonly address: string
  /** Of the sandbox's first process, as the host sees it; 0 once exited. */
  readonly pid: number
  readonly exit?: Exit
  readonly startedAt: number
}

export interface Reading {
  readonly id: string
  /** Names one life of the counters; with another `boot`, they began at zero again. */
  readonly boot: string
  readonly atMs: number
  readonly cpuNs: bigint
  /** Anonymous, shared and kernel memory now: what this sandbox alone caused, page cache of files apart. */
  readonly memoryBytes: bigint
  /** Sent to public addresses; doors and replies to the gateway are not in it. */
  readonly egressBytes: bigint
  /** Used on the ephemeral disk. */
  readonly diskBytes: bigint
  readonly oomKills: number
}

export interface Capabilities {
  readonly version: number
  readonly isolation: 'shared-kernel'
  readonly arch: string
  readonly kernel: string
  readonly cgroup: 'v1' | 'v2'
  /** Whether memory limits count swap. */
  readonly swapLimits: boolean
  readonly subnet: string
  /** The host's address as sandboxes see it: bind doors here. */
  readonly doorAddress: string
  /** How many sandboxes and scratch disks may exist at once. */
  readonly capacity: number
  /** Runtime images that need no making. */
  readonly images: readonly ImageName[]
}

export interface Release {
  readonly sha256: string
  readonly sizeBytes: number
}

/** A durable disk. Inside, files belong to the ids that made them, whichever sandbox of the owner that was. */
export interface Volume {
  readonly id: string
  readonly owner: string
  /** Full is ENOSPC. */
  readonly sizeBytes: number
  /** Blocks that it takes on the host's disk now; what the app deletes is given back. */
  readonly usedBytes: number
}

/** One file, kept. */
export interface Archive {
  readonly id: string
  readonly sha256: string
  readonly sizeBytes: number
}

/** Input and result of each verb, as types; `daemon/validate.ts` is the same table at run time. */
export interface Verbs {
  probe: { input: Record<string, never>; result: Capabilities }
  start: { input: SandboxSpec; result: Sandbox }
  list: { input: Record<string, never>; result: Sandbox[] }
  read: { input: Record<string, never>; result: WireReading[] }
  stop: { input: { id: string; graceMs: number }; result: Sandbox }
  freeze: { input: { id: string }; result: Sandbox }
  thaw: { input: { id: string }; result: Sandbox }
  limit: { input: { id: string; cpuPercent: number }; result: Sandbox }
  remove: { input: { id: string }; result: null }
  wait: { input: { id: string; timeoutMs: number }; result: Exit | null }
  volume: { input: { id: string; owner: string; sizeBytes: number }; result: Volume }
  volumes: { input: Record<string, never>; result: Volume[] }
  copyVolume: { input: { from: string; to: string }; result: Volume }
  removeVolume: { input: { id: string }; result: null }
  keepArchive: { input: { scratch: string; path: string; id: string }; result: Archive }
  archives: { input: Record<string, never>; result: Archive[] }
  removeArchive: { input: { id: string }; result: null }
  scratch: { input: { id: string; sizeBytes: number; base?: string }; result: null }
  removeScratch: { input: { id: string }; result: null }
  pack: { input: { scratch: string; path?: string; only?: string }; result: Release }
  releases: { input: Record<string, never>; result: Release[] }
  removeRelease: { input: { sha256: string }; result: null }
  image: { input: { name: ImageName }; result: { sha256: string } }
}

export type Verb = keyof Verbs

/** A reading as JSON carries it. */
export type WireReading = {
  readonly [K in keyof Reading]: Reading[K] extends bigint ? string : Reading[K]
}

/**
 * `invalid`: the request can never work. `missing`: no such sandbox, disk, release or archive. `conflict`: the id
 * is taken by something else, or the thing is in use. `no-room`: disk or addresses are used up.
 * `failed`: a tool or the kernel refused; the message holds its words.
 */
export type ErrorCode = 'invalid' | 'missing' | 'conflict' | 'no-room' | 'failed'

/** One request may be this long, newline included; a longer line closes the connection. */
export const maxLineBytes = 1024 * 1024

/** File name of the socket and folders below the daemon's root that the node may read. */
export const socketName = 'sandboxd.sock'
export const logsFolder = 'logs'
export const releasesFolder = 'releases'
export const archivesFolder = 'archives'
