/**
 * Fetching: git in a sandbox whose only way out is the git proxy, onto a scratch disk that the build takes over.
 *
 * One commit, no history, no submodules, no filters, no hooks, https alone. Manifests are read from git's objects,
 * so a link in the tree leads nowhere. Then the tree is checked out and git's own folder removed.
 */
import type { Door, SandboxSpec } from '@perennial/sandbox/client'
import { isRefusal } from '@perennial/protocol'
import { FETCH_SCRIPT, LOOK_SCRIPT } from './fetch-script.ts'
import { parseRef } from './ref.ts'
import type { Repository } from './repository.ts'

const MIB = 2 ** 20

export const FETCH_LIMITS = {
  timeoutMs: 180_000,
  files: 50_000,
  sizeBytes: 500 * MIB,
  /** What git receives, history included where a commit is looked for. */
  packBytes: 700 * MIB,
  /** Of each manifest that is read, and of all. */
  fileBytes: 262_144,
  allBytes: 4 * MIB,
} as const

export interface FetchAsk {
  /** Of the sandbox. */
  readonly id: string
  readonly scratch: string
  readonly repository: Pick<Repository, 'url'>
  /** Null: the default branch. */
  readonly ref: string | null
  /** The folder that is wanted; absent or empty: the top, or what the repository's own manifest names. */
  readonly root?: string
  readonly gitProxy: Door
}

export const LOOK_TIMEOUT_MS = 30_000

/** What git may do at all. Its own files of settings are not there in the sandbox. */
function gitSettings({ repository, gitProxy }: FetchAsk): Record<string, string> {
  return {
    'protocol.allow': 'never',
    'protocol.https.allow': 'always',
    // A development remote; the proxy forwards plain http to no other.
    ...(repository.url.startsWith('http://') && { 'protocol.http.allow': 'always' }),
    'http.proxy': `http://${gitProxy.address}:${gitProxy.port}`,
    // The first request only, and at most the 20 hops that git has built in; each passes the door.
    'http.followRedirects': 'initial',
    'http.lowSpeedLimit': '1000',
    'http.lowSpeedTime': '30',
    'http.sslCAInfo': '/etc/ssl/certs/ca-certificates.crt',
    'core.hooksPath': '/dev/null',
    'core.attributesFile': '/dev/null',
    'core.fsmonitor': 'false',
    'core.symlinks': 'true',
    // Larger ones are streamed, not held in memory.
    'core.bigFileThreshold': '32m',
    'credential.helper': '',
    'fetch.recurseSubmodules': 'false',
    'submodule.recurse': 'false',
    'gc.auto': '0',
    'maintenance.auto': 'false',
    'safe.directory': '*',
    'advice.detachedHead': 'false',
  }
}

/** Asks which commit a branch or tag is at, for a small part of what a fetch costs: is there anything new? */
export function lookSpec(ask: Omit<FetchAsk, 'scratch' | 'root'>): SandboxSpec {
  const { scratch: _scratch, ...spec } = fetchSpec({ ...ask, scratch: '' })
  // A commit that no name leads to never changes: its history is not asked for.
  const env = { ...spec.env, REF_PREFIX: '' }
  return {
    ...spec,
    env,
    argv: ['sh', '-c', LOOK_SCRIPT],
    cwd: '/tmp',
    limits: { ...spec.limits, memoryBytes: 256 * MIB },
  }
}

export function fetchSpec(ask: FetchAsk): SandboxSpec {
  const settings = Object.entries(gitSettings(ask))
  const numbered = settings.flatMap(([key, value], at) => [
    [`GIT_CONFIG_KEY_${at}`, key],
    [`GIT_CONFIG_VALUE_${at}`, value],
  ])
  return {
    id: ask.id,
    image: 'git',
    scratch: ask.scratch,
    writableBytes: 64 * MIB,
    argv: ['sh', '-c', FETCH_SCRIPT],
    env: {
      ...Object.fromEntries(numbered),
      GIT_CONFIG_COUNT: String(settings.length),
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ATTR_NOSYSTEM: '1',
      LC_ALL: 'C',
      REPOSITORY: ask.repository.url,
      ...refEnvironment(ask.ref),
      ROOT: ask.root ?? '',
      MOST_FILES: String(FETCH_LIMITS.files),
      MOST_BYTES: String(FETCH_LIMITS.sizeBytes),
      FILE_BLOCKS: String(FETCH_LIMITS.packBytes / 512),
      FILE_BYTES: String(FETCH_LIMITS.fileBytes),
      ALL_BYTES: String(FETCH_LIMITS.allBytes),
    },
    cwd: '/app',
    user: 'app',
    limits: { memoryBytes: 768 * MIB, pids: 64, cpuPercent: 100 },
    network: { doors: [ask.gitProxy] },
  }
}

/** A ref that is none was refused when it was asked for; one that got here all the same names nothing. */
function refEnvironment(text: string | null): Record<string, string> {
  const ref = parseRef(text)
  if (isRefusal(ref)) return { REF_KIND: 'branch', REF: '-', REF_PREFIX: '' }
  if (ref.kind === 'default') return { REF_KIND: 'default', REF: '', REF_PREFIX: '' }
  return { REF_KIND: ref.kind, REF: ref.name, REF_PREFIX: ref.kind === 'name' && ref.prefix ? '1' : '' }
}
