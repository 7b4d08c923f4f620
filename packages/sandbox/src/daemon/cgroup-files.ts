/** Reading and removing the files of control groups, for both versions. */
import { closeSync, existsSync, openSync, readFileSync, readSync, rmdirSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { kill } from './processes.ts'

/** `quota` of CPU time per this period. */
export const periodMicros = 100_000

export const quotaMicros = (cpuPercent: number) => (cpuPercent * periodMicros) / 100

/** The number after `name` in lines such as `oom_kill 1`; 0 when the kernel has no such line. */
export function value(text: string, name: string): bigint {
  const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(text)
  return BigInt(found?.[1] ?? 0)
}

/** Empty for a group that is gone. */
export function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

const buffer = Buffer.alloc(16 * 1024)

export function openCounter(path: string): { text(): string; close(): void } {
  const fd = openSync(path, 'r')
  return {
    text: () => buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0)),
    close: () => closeSync(fd),
  }
}

export async function folders(path: string): Promise<string[]> {
  if (!existsSync(path)) return []
  const entries = await readdir(path, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

/** A process that was killed is still in its group for a moment. */
export async function endGroup(path: string): Promise<void> {
  const living = () => readIfThere(join(path, 'cgroup.procs')).split('\n').filter(Boolean).map(Number)
  await until(path, () => {
    const pids = living()
    pids.forEach(kill)
    return pids.length === 0
  })
  removeGroup(path)
}

export function removeGroup(path: string): void {
  try {
    rmdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** A limit that was smaller stays; v1 refuses one below what is held, which is said and tried again at the next start. */
export function lowerLimit(path: string, most: number): void {
  const now = readFileSync(path, 'utf8').trim()
  if (now !== 'max' && BigInt(now) <= BigInt(most)) return
  try {
    writeFileSync(path, String(most))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
    console.error(`${path} stays at ${now}: sandboxes hold more than ${most} already; stop some and restart sandboxd`)
  }
}

/** The kernel freezes in its own time, mostly at once. */
export async function until(what: string, isDone: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000
  while (!isDone()) {
    if (Date.now() > deadline) throw new Error(`the kernel did not change ${what} within 5 seconds`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
