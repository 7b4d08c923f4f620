/** Control groups of version 2: one hierarchy, whose controllers are switched on from above. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  endGroup,
  folders,
  lowerLimit,
  openCounter,
  periodMicros,
  quotaMicros,
  readIfThere,
  removeGroup,
  until,
  value,
} from './cgroup-files.ts'
import type { Cgroups } from './cgroup.ts'

export function v2(top: string): Cgroups {
  let swapFile: string | undefined
  const at = (path: string, file: string) => join(top, path, file)
  return {
    version: 'v2',
    // The root group has no limits of its own, so our parent group shows whether there are any.
    get swapLimits() {
      return swapFile !== undefined && existsSync(swapFile)
    },
    open(path) {
      const cpu = openCounter(at(path, 'cpu.stat'))
      const memory = openCounter(at(path, 'memory.stat'))
      const events = openCounter(at(path, 'memory.events'))
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
        wasFull: () => value(events.text(), 'oom') > 0n,
        close: () => [cpu, memory, events].forEach((file) => file.close()),
      }
    },
    frozen: (path) => value(readIfThere(at(path, 'cgroup.events')), 'frozen') === 1n,
    async freeze(path, frozen) {
      writeFileSync(at(path, 'cgroup.freeze'), frozen ? '1' : '0')
      await until(path, () => this.frozen(path) === frozen)
    },
    limitCpu: (path, cpuPercent) => writeFileSync(at(path, 'cpu.max'), `${quotaMicros(cpuPercent)} ${periodMicros}`),
    confine(path, { pid, cpuPercent }) {
      mkdirSync(at(path, ''), { recursive: true })
      this.limitCpu(path, cpuPercent)
      writeFileSync(at(path, 'cgroup.procs'), String(pid))
    },
    hold(path, { pid, memoryBytes }) {
      mkdirSync(at(path, ''), { recursive: true })
      writeFileSync(at(path, 'memory.max'), String(memoryBytes))
      writeFileSync(at(path, 'cgroup.procs'), String(pid))
    },
    limitAll(parent, { memoryBytes, pids }) {
      lowerLimit(at(parent, 'memory.max'), memoryBytes)
      lowerLimit(at(parent, 'pids.max'), pids)
    },
    children: (parent) => folders(join(top, parent)),
    end: (path) => endGroup(join(top, path)),
    remove: (path) => removeGroup(join(top, path)),
    async prepare(parent) {
      await mkdir(join(top, parent), { recursive: true })
      for (const group of ['/', parent]) await writeFile(at(group, 'cgroup.subtree_control'), '+cpu +memory +pids')
      swapFile = at(parent, 'memory.swap.max')
    },
  }
}

/** Kernels before 5.18 do not sum it up. */
function kernelBytes(stat: string): bigint {
  const sum = value(stat, 'kernel')
  return sum > 0n ? sum : value(stat, 'kernel_stack') + value(stat, 'slab') + value(stat, 'pagetables')
}
