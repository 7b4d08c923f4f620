/** What this machine has and lacks for a node, each with a sentence; some of it `fix` can mend as root. */
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { installPackages, isDebian, missingPackages } from './debian.ts'
import { isListening } from './listening.ts'
import { neededPackages, type DebianPackage } from './needs.ts'
import { probeSandbox } from './probe.ts'
import { findUser, makeUser, USER } from './user.ts'

export interface Finding {
  readonly name: string
  /** `lacks` keeps a node from running, `warns` does not, `unknown` could not be seen by this user. */
  readonly state: 'ok' | 'lacks' | 'warns' | 'unknown'
  readonly sentence: string
  /** Present if `doctor --fix` mends it. Tells each step before taking it. */
  readonly fix?: (say: (line: string) => void) => Promise<void>
}

export interface Place {
  readonly data: string
  readonly host: string
  readonly port: number
}

const MIN_DISK_BYTES = 3 * 2 ** 30
const MIN_MEMORY_BYTES = 2 ** 30
const OLDEST_NODE = 24

/** Everything, in the order in which it has to be there. `extra` are packages that only this use needs. */
export async function examine(place: Place, extra: readonly DebianPackage[] = []): Promise<Finding[]> {
  const machine = [await system(), node()]
  if (machine.some(({ state }) => state === 'lacks')) return machine
  const installed = await packages(extra)
  const kernel = abilities()
  const rest = [user(), kernel, await port(place), disk(place), memory()]
  // The probe starts the daemon, so it has to wait until the packages are there.
  const canProbe = [...installed, kernel].every(({ state }) => state === 'ok')
  return [...machine, ...installed, ...rest, ...(canProbe ? [await sandbox(place)] : [])]
}

async function system(): Promise<Finding> {
  const supported = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch) && (await isDebian())
  const name = /^PRETTY_NAME="(.*)"$/m.exec(readIfThere('/etc/os-release'))?.[1] ?? process.platform
  return supported
    ? { name: 'system', state: 'ok', sentence: `${name}, ${process.arch}` }
    : {
        name: 'system',
        state: 'lacks',
        sentence: `this is ${name} on ${process.arch}; a node needs Debian (12 or newer) on x64 or arm64`,
      }
}

function node(): Finding {
  const major = Number(process.versions.node.split('.')[0])
  return major >= OLDEST_NODE
    ? { name: 'node', state: 'ok', sentence: `Node ${process.versions.node}` }
    : {
        name: 'node',
        state: 'lacks',
        sentence: `Node ${process.versions.node} is older than ${OLDEST_NODE}: run npm ci`,
      }
}

async function packages(extra: readonly DebianPackage[]): Promise<Finding[]> {
  const needed = [...(await neededPackages()), ...extra]
  const missing = await missingPackages(needed)
  if (missing.length === 0)
    return [{ name: 'packages', state: 'ok', sentence: `all ${needed.length} Debian packages are installed` }]
  const [first, ...others] = missing.map(({ name, why }): Finding => ({
    name: `package ${name}`,
    state: 'lacks',
    sentence: why,
  }))
  // One installation for all of them: apt is slow to begin with.
  return first ? [{ ...first, fix: (say) => installPackages(missing, say) }, ...others] : []
}

function user(): Finding {
  if (findUser()) return { name: 'user', state: 'ok', sentence: `the node runs as ${USER}` }
  return {
    name: 'user',
    state: 'lacks',
    sentence: `the system user ${USER}, which the node runs as`,
    async fix(say) {
      say(`adding the system user ${USER} (no home, no shell, no password)`)
      await makeUser()
    },
  }
}

/** What can be read without trying; `sandbox` tries. */
function abilities(): Finding {
  const systems = readIfThere('/proc/filesystems')
  const groups = readIfThere('/proc/cgroups') + readIfThere('/sys/fs/cgroup/cgroup.controllers')
  const lacks = [
    ...['overlay', 'squashfs', 'ext4', 'tmpfs'].filter(
      (name) => !new RegExp(`\\b${name}$`, 'm').test(systems) && !hasModule(name),
    ),
    ...['memory', 'cpu', 'pids']
      .filter((name) => !new RegExp(`\\b${name}\\b`).test(groups))
      .map((name) => `control group ${name}`),
    ...(existsSync('/proc/self/ns/user') ? [] : ['user namespaces']),
    ...(existsSync('/dev/loop-control') || hasModule('loop') ? [] : ['loop devices']),
  ]
  return lacks.length === 0
    ? { name: 'kernel', state: 'ok', sentence: 'namespaces, control groups, overlay, squashfs and loop devices' }
    : {
        name: 'kernel',
        state: 'lacks',
        sentence: `this kernel has no ${lacks.join(', no ')}; boot Debian's own kernel`,
      }
}

function hasModule(name: string): boolean {
  const release = readIfThere('/proc/sys/kernel/osrelease').trim()
  return readIfThere(`/lib/modules/${release}/modules.dep`).includes(`/${name}.ko`)
}

async function port({ data, host, port: number }: Place): Promise<Finding> {
  const name = 'port'
  if (!(await isListening({ host, port: number }))) return { name, state: 'ok', sentence: `${host}:${number} is free` }
  if (await isNode({ host, port: number }))
    return { name, state: 'ok', sentence: `a node answers at ${host}:${number}` }
  if (hasProgram(`${data}/node/gateway/haproxy.cfg`))
    return {
      name,
      state: 'ok',
      sentence: `the HAProxy of a killed node listens at ${host}:${number}; the next adopts it`,
    }
  return {
    name,
    state: 'lacks',
    sentence: `something else listens at ${host}:${number}: stop it, or use --listen`,
  }
}

/** A process with this word in its command line. */
function hasProgram(word: string): boolean {
  return readdirSync('/proc').some(
    (pid) => /^\d+$/.test(pid) && readIfThere(`/proc/${pid}/cmdline`).split('\0').includes(word),
  )
}

async function isNode(at: { host: string; port: number }): Promise<boolean> {
  const answer = await fetch(`http://${at.host}:${at.port}/oc/node/info`, { signal: AbortSignal.timeout(3000) }).catch(
    () => undefined,
  )
  await answer?.body?.cancel()
  return answer?.headers.has('oc-status') === true
}

function disk({ data }: Place): Finding {
  let at = data
  while (!existsSync(at)) at = dirname(at)
  const { bavail, bsize } = statfsSync(at)
  const free = `${(Number(bavail * bsize) / 2 ** 30).toFixed(0)} GiB free below ${data}`
  return bavail * bsize >= MIN_DISK_BYTES
    ? { name: 'disk', state: 'ok', sentence: free }
    : { name: 'disk', state: 'lacks', sentence: `${free}; a node with one app needs ${MIN_DISK_BYTES / 2 ** 30} GiB` }
}

function memory(): Finding {
  const sentence = `${(totalmem() / 2 ** 30).toFixed(1)} GiB of memory, ${(freemem() / 2 ** 30).toFixed(1)} unused`
  return totalmem() >= MIN_MEMORY_BYTES
    ? { name: 'memory', state: 'ok', sentence }
    : { name: 'memory', state: 'warns', sentence: `${sentence}; builds of larger apps will fail` }
}

/** Starts the sandbox daemon for a moment, or asks the one that runs: the kernel's word rather than its files'. */
async function sandbox({ data }: Place): Promise<Finding> {
  const name = 'sandbox'
  if (process.getuid?.() !== 0) return { name, state: 'unknown', sentence: 'only root can try it' }
  const found = await probeSandbox(data)
  return 'problem' in found
    ? { name, state: 'lacks', sentence: found.problem }
    : { name, state: 'ok', sentence: `${found.isolation}, cgroup ${found.cgroup}, room for ${found.capacity}` }
}

/** Processes end while one looks, so there is no asking first. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** What `--fix` would do and cannot be done without root. */
export function mendable(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ fix }) => fix !== undefined)
}

export function isReady(findings: readonly Finding[]): boolean {
  return findings.every(({ state }) => state !== 'lacks')
}
