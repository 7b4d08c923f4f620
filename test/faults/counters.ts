/**
 * What the kernel counted of each sandbox, read from outside the node, as root: the measure of what may be charged.
 *
 * A sandbox's own counter goes with it, a few milliseconds after its last reading here. The counter of the group above
 * all of them stays, so what is missing there belongs to those that just went.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hierarchies } from '../../packages/sandbox/src/daemon/cgroup.ts'
import { tagOf } from '../../packages/sandbox/src/daemon/instance.ts'

const EVERY_MS = 25

export interface Counted {
  /** The app's slug, or the deployment's id. */
  readonly owner: string
  /** As last read. */
  cpuNs: bigint
  /** With what it may have used after that. */
  mostNs: bigint
}

export interface KernelCounters extends Disposable {
  /** Reads everything now. */
  read(): void
  /** By sandbox id; those that are gone too. */
  readonly sandboxes: ReadonlyMap<string, Counted>
  /** Of all sandboxes that ever were. */
  total(): bigint
}

export function watchCounters(root: string): KernelCounters {
  const parent = groupOf(root)
  const sandboxes = new Map<string, Counted>()
  let live = new Set<string>()
  let goneNs = 0n
  /** The group above is made anew when it was empty. */
  let earlierNs = 0n
  let parentNs = 0n

  const read = () => {
    const now = new Set<string>()
    for (const id of parent.children()) {
      const cpuNs = parent.usage(id)
      if (cpuNs === null) continue
      const known = sandboxes.get(id)
      if (known && known.cpuNs <= cpuNs) Object.assign(known, { cpuNs, mostNs: cpuNs })
      else if (!known) {
        const owner = ownerOf(root, id)
        if (owner === null) continue
        sandboxes.set(id, { owner, cpuNs, mostNs: cpuNs })
      }
      now.add(id)
    }
    const gone = [...live].filter((id) => !now.has(id))
    live = now
    const before = usageOfLive()
    const allNs = parent.usage('') ?? 0n
    if (allNs < parentNs) earlierNs += parentNs
    parentNs = allNs
    if (gone.length === 0) return
    for (const id of gone) goneNs += sandboxes.get(id)?.cpuNs ?? 0n
    // Those that live on count while one reads. They are given all of that, and those that went the most it may be.
    const leastNs = earlierNs + allNs - usageOfLive() - goneNs
    const mostNs = earlierNs + allNs - before - goneNs
    if (leastNs > 0n) goneNs += leastNs
    for (const id of gone) {
      const one = sandboxes.get(id)
      if (one && mostNs > 0n) one.mostNs += mostNs
    }
  }
  const usageOfLive = () =>
    [...live].reduce((sum, id) => sum + (parent.usage(id) ?? sandboxes.get(id)?.cpuNs ?? 0n), 0n)

  read()
  const reading = setInterval(read, EVERY_MS)
  return { read, sandboxes, total: () => earlierNs + parentNs, [Symbol.dispose]: () => clearInterval(reading) }
}

/** The control group above a daemon's sandboxes, of whichever version this machine has. */
export function groupOf(root: string): {
  readonly path: string
  children(): string[]
  /** CPU time in nanoseconds of a child, or with '' of all; null if there is no such group. */
  usage(child: string): bigint | null
} {
  const mounts = hierarchies()
  const [top, version] = mounts.has('cpuacct') ? [mounts.get('cpuacct')!, 1] : [mounts.get('unified') ?? '', 2]
  const path = join(top, `perennial-${tagOf(root)}`)
  return {
    path,
    children: () =>
      existsSync(path)
        ? readdirSync(path, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [one.name] : []))
        : [],
    usage(child) {
      try {
        if (version === 1) return BigInt(readFileSync(join(path, child, 'cpuacct.usage'), 'utf8').trim())
        return BigInt(/^usage_usec (\d+)$/m.exec(readFileSync(join(path, child, 'cpu.stat'), 'utf8'))?.[1] ?? 0) * 1000n
      } catch (error) {
        if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
        throw error
      }
    },
  }
}

const BUILD = /^b-([0-9a-f]{32})-/

/** Builds are named after their deployment; what an app's sandbox is told of itself names the app. */
function ownerOf(root: string, id: string): string | null {
  const deployment = BUILD.exec(id)?.[1]
  if (deployment !== undefined) return deployment.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  const file = join(root, 'sandboxes', `${id}.json`)
  if (!existsSync(file)) return null
  const { spec } = JSON.parse(readFileSync(file, 'utf8')) as { spec: { env: Record<string, string> } }
  return new URL(spec.env['APP_URL'] ?? 'http://unknown').hostname.split('.')[0] ?? null
}
