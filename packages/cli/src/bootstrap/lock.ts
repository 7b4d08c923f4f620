/**
 * One `up` per data folder, held by flock(1): the kernel lets go of it when we end, however that happens.
 *
 * Node has no flock of its own, so a child holds the lock for as long as our end of its input is open.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Lock {
  /** What somebody else is told who finds it locked. */
  note(holder: Holder): Promise<void>
  release(): Promise<void>
}

export interface Holder {
  readonly pid: number
  readonly node: string
  readonly app?: string
}

const TAKEN = 75

/** The lock, or who has it (as far as they said). */
export async function takeLock(data: string): Promise<Lock | { readonly heldBy: Partial<Holder> }> {
  const about = join(data, 'up.json')
  const words = ['--nonblock', '--conflict-exit-code', String(TAKEN), join(data, 'up.lock')]
  // A session of its own: Ctrl-C at the terminal must not end it before we are done.
  const child = spawn('flock', [...words, 'sh', '-c', 'echo held; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  })
  const ended = once(child, 'exit') as Promise<[number | null]>
  const held = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)])
  if (!held) {
    const [code] = await ended
    if (code !== TAKEN) throw new Error(`flock ended with ${code} for ${join(data, 'up.lock')}`)
    return { heldBy: parse(await readFile(about, 'utf8').catch(() => '')) }
  }
  return {
    note: (holder) => writeFile(about, `${JSON.stringify(holder)}\n`),
    async release() {
      await rm(about, { force: true })
      child.stdin.end()
      await ended
    },
  }
}

/** They may be just writing it, or have been killed while they did. */
function parse(text: string): Partial<Holder> {
  try {
    return JSON.parse(text) as Partial<Holder>
  } catch {
    return {}
  }
}
