/** Control groups of version 1: a hierarchy of folders for each controller. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  endGroup,
  folders,
  lowerLimit,
  openCounter,
  quotaMicros,
  readIfThere,
  removeGroup,
  until,
  value,
} from './cgroup-files.ts'
import type { Cgroups } from './cgroup.ts'

/** Buffers of sockets are counted apart: this part of the common limit is theirs. */
const socketShare = 1 / 16

export function v1(mounts: Map<string, string>): Cgroups {
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
      const cpu = openCounter(at('cpuacct', path, 'cpuacct.usage'))
      const memory = openCounter(at('memory', path, 'memory.stat'))
      const oom = openCounter(at('memory', path, 'memory.oom_control'))
      // The kernel's own memory, and its buffers of sockets: absent where the kernel does not count them.
      const kernel = ['memory.kmem.usage_in_bytes', 'memory.kmem.tcp.usage_in_bytes']
        .map((file) => at('memory', path, file))
        .filter((file) => existsSync(file))
        .map(openCounter)
      return {
        read() {
          const stat = memory.text()
          return {
            cpuNs: BigInt(cpu.text().trim()),
            memoryBytes: kernel.reduce(
              (sum, file) => sum + BigInt(file.text().trim()),
              value(stat, 'total_rss') + value(stat, 'total_shmem'),
            ),
            oomKills: Number(value(oom.text(), 'oom_kill')),
            majorFaults: value(stat, 'total_pgmajfault'),
          }
        },
        wasFull: () => readFileSync(at('memory', path, 'memory.failcnt'), 'utf8').trim() !== '0',
        close: () => [cpu, memory, oom, ...kernel].forEach((file) => file.close()),
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
    limitCpu: (path, cpuPercent) => writeFileSync(at('cpu', path, 'cpu.cfs_quota_us'), String(quotaMicros(cpuPercent))),
    confine(path, { pid, cpuPercent }) {
      mkdirSync(at('cpu', path, ''), { recursive: true })
      this.limitCpu(path, cpuPercent)
      writeFileSync(at('cpu', path, 'cgroup.procs'), String(pid))
    },
    hold(path, { pid, memoryBytes }) {
      mkdirSync(at('memory', path, ''), { recursive: true })
      writeFileSync(at('memory', path, 'memory.limit_in_bytes'), String(memoryBytes))
      writeFileSync(at('memory', path, 'cgroup.procs'), String(pid))
    },
    limitAll(parent, { memoryBytes, pids }) {
      for (const controller of ['memory', 'pids']) mkdirSync(at(controller, parent, ''), { recursive: true })
      const sockets = at('memory', parent, 'memory.kmem.tcp.limit_in_bytes')
      const socketBytes = existsSync(sockets) ? Math.floor(memoryBytes * socketShare) : 0
      if (socketBytes > 0) lowerLimit(sockets, socketBytes)
      lowerLimit(at('memory', parent, 'memory.limit_in_bytes'), memoryBytes - socketBytes)
      lowerLimit(at('pids', parent, 'pids.max'), pids)
    },
    children: async (parent) => [...new Set((await Promise.all(all.map((top) => folders(join(top, parent))))).flat())],
    end: async (path) => {
      for (const top of all) await endGroup(join(top, path))
    },
    remove: (path) => all.forEach((top) => removeGroup(join(top, path))),
    prepare: async () => undefined,
  }
}
