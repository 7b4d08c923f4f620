/** The OCI bundle of one sandbox: everything crun is told about it. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SandboxSpec } from '../verbs.ts'
import type { Attached } from './attach.ts'
import type { Cgroups } from './cgroup.ts'
import { hostUid } from './instance.ts'
import type { Instance } from './instance.ts'
import { netnsPath } from './network.ts'
import { recipes } from './recipes.ts'
import { seccompProfile } from './seccomp.ts'

/** Where the parts of a sandbox lie on the host. */
export interface Parts {
  readonly index: number
  readonly idsIndex: number
  readonly rootfs: string
  /** What appears at /app and at /tmp. */
  readonly app: string
  readonly tmp: string
  readonly attached: readonly Attached[]
  readonly cgroups: Pick<Cgroups, 'version' | 'swapLimits'>
}

/** Uid and gid of `app` inside the sandbox. */
export const appUid = 1000

/** Part of its memory limit that Node's heap may use; V8 itself sees the whole machine's memory. */
const heapShare = 0.7
/** What sockets may hold unread, next to its memory limit. */
const socketShare = 0.25
const sharedMemoryBytes = 16 * 1024 * 1024
const idsEach = 65_536

export function cgroupOf(at: Instance, id: string): string {
  return `${at.cgroupParent}/${id}`
}

export async function writeBundle(
  at: Instance,
  { spec, parts, folder }: { spec: SandboxSpec; parts: Parts; folder: string },
): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'hosts'), `127.0.0.1 localhost\n::1 localhost\n127.0.1.1 ${spec.id}\n`)
  await writeFile(join(folder, 'resolv.conf'), spec.network === 'internet' ? publicResolvers : '')
  // Settings are in it, which nobody else on the machine is to read.
  await writeFile(join(folder, 'config.json'), JSON.stringify(ociConfig(at, { spec, parts, folder })), { mode: 0o600 })
}

/** Private networks are out of a sandbox's reach, the resolver of the host's network among them. */
const publicResolvers = 'nameserver 9.9.9.9\nnameserver 1.1.1.1\n'

function ociConfig(at: Instance, { spec, parts, folder }: { spec: SandboxSpec; parts: Parts; folder: string }) {
  const uid = spec.user === 'root' ? 0 : appUid
  const ids = [{ containerID: 0, hostID: hostUid(at, parts.idsIndex), size: idsEach }]
  const bind = (destination: string, source: string, mode: 'ro' | 'rw') => ({
    destination,
    source,
    type: 'bind',
    options: ['bind', mode, 'nosuid', 'nodev'],
  })
  const memory = (destination: string, options: string[]) => ({
    destination,
    source: 'tmpfs',
    type: 'tmpfs',
    options: ['nosuid', 'nodev', ...options],
  })
  /** Folders of the image, which is read-only: what is to appear below them needs a place that is not. */
  const tops = ['/data', '/run'].filter((top) => parts.attached.some((each) => each.at.startsWith(`${top}/`)))
  const { memoryBytes, pids, cpuPercent } = spec.limits
  return {
    ociVersion: '1.0.0',
    hostname: spec.id,
    process: {
      terminal: false,
      user: { uid, gid: uid },
      // catatonit passes signals on and reaps orphans: as the first process, node itself would ignore TERM.
      args: ['/usr/bin/catatonit', '--', ...spec.argv],
      env: environment(spec),
      cwd: spec.cwd,
      noNewPrivileges: true,
      oomScoreAdj: 500,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      rlimits: [
        { type: 'RLIMIT_NOFILE', hard: 16_384, soft: 16_384 },
        { type: 'RLIMIT_CORE', hard: 0, soft: 0 },
        { type: 'RLIMIT_MEMLOCK', hard: 65_536, soft: 65_536 },
      ],
    },
    root: { path: parts.rootfs, readonly: true },
    mounts: [
      { destination: '/proc', source: 'proc', type: 'proc', options: ['nosuid', 'nodev', 'noexec'] },
      {
        destination: '/dev',
        source: 'tmpfs',
        type: 'tmpfs',
        options: ['nosuid', 'noexec', 'size=64k', 'mode=755'],
      },
      memory('/dev/shm', ['noexec', `size=${sharedMemoryBytes}`, 'mode=1777']),
      bind('/etc/hosts', join(folder, 'hosts'), 'ro'),
      bind('/etc/resolv.conf', join(folder, 'resolv.conf'), 'ro'),
      bind('/app', parts.app, 'rw'),
      bind('/tmp', parts.tmp, 'rw'),
      ...tops.map((top) => memory(top, ['noexec', 'size=64k', 'mode=755'])),
      ...parts.attached.map((each) => {
        const { options, ...mount } = bind(each.at, each.source, each.mode)
        // On the disk are the ids that sandboxes see; this one's range of the host's ids is laid over them.
        return { ...mount, options: each.hasInnerIds ? [...options, 'noatime', 'idmap'] : options }
      }),
    ],
    linux: {
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user'].map((type) => ({ type })),
        { type: 'network', path: netnsPath(parts.index) },
      ],
      uidMappings: ids,
      gidMappings: ids,
      cgroupsPath: cgroupOf(at, spec.id),
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        memory: {
          limit: memoryBytes,
          // Twice the memory: v2 counts swap apart and could not move a sleeping sandbox there otherwise.
          ...(parts.cgroups.swapLimits && { swap: 2 * memoryBytes }),
          // v1 counts the kernel's buffers of sockets apart, and only where they have a limit.
          ...(parts.cgroups.version === 'v1' && { kernelTCP: Math.floor(memoryBytes * socketShare) }),
        },
        pids: { limit: pids },
        cpu: { shares: 256, quota: cpuPercent * 1000, period: 100_000 },
        // All of a sandbox ends when one of its processes is ended for want of memory; v1 cannot say that.
        ...(parts.cgroups.version === 'v2' && { unified: { 'memory.oom.group': '1' } }),
      },
      seccomp: seccompProfile(),
      maskedPaths: masked,
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys'],
      rootfsPropagation: 'private',
    },
  }
}

const masked = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/config.gz',
  '/proc/interrupts',
  '/proc/kallsyms',
  '/proc/kcore',
  '/proc/key-users',
  '/proc/keys',
  '/proc/kmsg',
  '/proc/latency_stats',
  '/proc/modules',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/slabinfo',
  '/proc/sysrq-trigger',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/vmallocinfo',
]

function environment(spec: SandboxSpec): string[] {
  const heapMiB = Math.floor((spec.limits.memoryBytes * heapShare) / 2 ** 20)
  const { node, compiles } = recipes[spec.image]
  const all = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: '/tmp',
    LANG: 'C.UTF-8',
    ...(node && { NODE_OPTIONS: `--max-old-space-size=${heapMiB}` }),
    // node-gyp would download Node's headers, which are here.
    ...(compiles && { npm_config_nodedir: '/usr' }),
    ...spec.env,
  }
  return Object.entries(all).map(([name, value]) => `${name}=${value}`)
}
