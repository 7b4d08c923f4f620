/**
 * Control groups, v1 and v2 alike: counters through file descriptors held open (one `pread` each, about a
 * tenth of opening them every time), the freezer, the CPU limit. crun makes the groups; they live until crun
 * deletes the container, so counters can still be read after the last process ended.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync, rmdirSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Counters {
  readonly cpuNs: bigint
  readonly memoryBytes: bigint
  readonly oomKills: number
  /** Pages that had to be read from disk while the program waited. */
  readonly majorFaults: bigint
}

/** One sandbox's group, with the files of its counters open. */
export interface Group {
  read(): Counters
  close(): void
}

export interface Cgroups {
  readonly version: 'v1' | 'v2'
  readonly swapLimits: boolean
  open(path: string): Group
  frozen(path: string): boolean
  freeze(path: string, frozen: boolean): Promise<void>
  limitCpu(path: string, cpuPercent: number): void
  /** Groups below `parent`, in any hierarchy. */
  children(parent: string): Promise<string[]>
  /** Removes an empty group; one that is gone already is fine. */
  remove(path: string): void
  /** Makes the parent group, so that limits can be set below it. */
  prepare(parent: string): Promise<void>
}

/** `quota` of CPU time per this period. */
const periodMicros = 100_000

/** Mount points of the hierarchies: controller → folder; v2 is `unified`. */
export function hierarchies(): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [mount, filesystem] = line.split(' - ')
    const at = mount?.split(' ')[4]
    if (!at || !filesystem) continue
    const [type, , options = ''] = filesystem.split(' ')
    if (type === 'cgroup2') found.set('unified', at)
    if (type === 'cgroup') for (const word of options.split(',')) found.set(word, at)
  }
  return found
}

export function openCgroups(): Cgroups {
  const mounts = hierarchies()
  const unified = mounts.get('unified')
  if (mounts.has('memory')) return v1(mounts)
  if (unified) return v2(unified)
  throw new Error('no control groups are mounted below /sys/fs/cgroup; the sandbox cannot limit memory without them')
}

function v1(mounts: Map<string, string>): Cgroups {
  const folder = (controller: string) => {
    const found = mounts.get(controller)
    if (!found) throw new Error(`the cgroup controller ${controller} is not mounted; enable it in the kernel`)
    return found
  }
  const at = (controller: string, path: string, file: string) => join(folder(controller), path, file)
  const all = [...new Set([...mounts].filter(([name]) => name !== 'unified').map(([, path]) => path))]
  for (const needed of ['cpu', 'cpuacct', 'pids', 'freezer']) folder(needed)
  return {
    version: 'v1',
    swapLimits: existsSync(at('memory', '/', 'memory.memsw.limit_in_bytes')),
    open(path) {
      const kernelFile = at('memory', path, 'memory.kmem.usage_in_bytes')
      const cpu = reader(at('cpuacct', path, 'cpuacct.usage'))
      const memory = reader(at('memory', path, 'memory.stat'))
      const oom = reader(at('memory', path, 'memory.oom_control'))
      const kernel = existsSync(kernelFile) ? reader(kernelFile) : undefined
      const sockets = reader(at('memory', path, 'memory.kmem.tcp.usage_in_bytes'))
      return {
        read() {
          const stat = memory.text()
          return {
            cpuNs: BigInt(cpu.text().trim()),
            memoryBytes:
              value(stat, 'total_rss') +
              value(stat, 'total_shmem') +
              BigInt(kernel?.text().trim() ?? 0) +
              BigInt(sockets.text().trim()),
            oomKills: Number(value(oom.text(), 'oom_kill')),
            majorFaults: value(stat, 'total_pgmajfault'),
          }
        },
        close: () => [cpu, memory, oom, kernel, sockets].forEach((file) => file?.close()),
      }
    },
    frozen: (path) => !['THAWED', ''].includes(readIfThere(at('freezer', path, 'freezer.state')).trim()),
    async freeze(path, frozen) {
      const file = at('freezer', path, 'freezer.state')
      await until(file, () => {
        writeFileSync(file, frozen ? 'FROZEN' : 'THAWED')
        return readFileSync(file, 'utf8').trim() === (frozen ? 'FROZEN' : 'THAWED')
      })
    },
    limitCpu: (path, cpuPercent) =>
      writeFileSync(at('cpu', path, 'cpu.cfs_quota_us'), String((cpuPercent * periodMicros) / 100)),
    children: async (parent) => [...new Set((await Promise.all(all.map((top) => folders(join(top, parent))))).flat())],
    remove: (path) => all.forEach((top) => removeGroup(join(top, path))),
    prepare: async () => undefined,
  }
}

function v2(top: string): Cgroups {
  const at = (path: string, file: string) => join(top, path, file)
  return {
    version: 'v2',
    swapLimits: existsSync('/proc/swaps'),
    open(path) {
      const cpu = reader(at(path, 'cpu.stat'))
      const memory = reader(at(path, 'memory.stat'))
      const events = reader(at(path, 'memory.events'))
      return {
        read() {
          const stat = memory.text()
          return {
            cpuNs: value(cpu.text(), 'usage_usec') * 1000n,
            memoryBytes: value(stat, 'anon') + value(stat, 'shmem') + value(stat, 'sock') + kernelBytes(stat),
            oomKills: Number(value(events.text(), 'oom_kill')),
            majorFaults: value(stat, 'pgmajfault'),
          }
        },
        close: () => [cpu, memory, events].forEach((file) => file.close()),
      }
    },
    frozen: (path) => value(readIfThere(at(path, 'cgroup.events')), 'frozen') === 1n,
    async freeze(path, frozen) {
      writeFileSync(at(path, 'cgroup.freeze'), frozen ? '1' : '0')
      await until(path, () => this.frozen(path) === frozen)
    },
    limitCpu: (path, cpuPercent) =>
      writeFileSync(at(path, 'cpu.max'), `${(cpuPercent * periodMicros) / 100} ${periodMicros}`),
    children: (parent) => folders(join(top, parent)),
    remove: (path) => removeGroup(join(top, path)),
    async prepare(parent) {
      await mkdir(join(top, parent), { recursive: true })
      for (const group of ['/', parent]) await writeFile(at(group, 'cgroup.subtree_control'), '+cpu +memory +pids')
    },
  }
}

/** Kernels before 5.18 do not sum it up. */
function kernelBytes(stat: string): bigint {
  const sum = value(stat, 'kernel')
  return sum > 0n ? sum : value(stat, 'kernel_stack') + value(stat, 'slab') + value(stat, 'pagetables')
}

/** The number after `name` in lines such as `oom_kill 1`; 0 when the kernel has no such line. */
function value(text: string, name: string): bigint {
  const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(text)
  return BigInt(found?.[1] ?? 0)
}

/** Empty for a group that is gone. */
function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

const buffer = Buffer.alloc(16 * 1024)

function reader(path: string): { text(): string; close(): void } {
  const fd = openSync(path, 'r')
  return {
    text: () => buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0)),
    close: () => closeSync(fd),
  }
}

async function folders(path: string): Promise<string[]> {
  if (!existsSync(path)) return []
  const entries = await readdir(path, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

function removeGroup(path: string): void {
  try {
    rmdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** The kernel freezes in its own time, mostly at once. */
async function until(what: string, isDone: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000
  while (!isDone()) {
    if (Date.now() > deadline) throw new Error(`the kernel did not change ${what} within 5 seconds`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
