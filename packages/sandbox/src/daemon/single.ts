/**
 * One daemon per root: two would undo each other's work. The kernel holds the lock as long as its holder lives; the
 * number that is noted beside it is for people, and for `--destroy`.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

interface Rooted {
  readonly root: string
}

/** TERM this often, then KILL. */
const endTries = 100
const endEveryMs = 50
/** Who is just being started holds it for a moment before us. */
const lockTries = 100
const lockEveryMs = 20
const heldByOther = 75

const pidFile = (at: Rooted) => join(at.root, 'sandboxd.pid')

export async function becomeTheOne(at: Rooted): Promise<void> {
  for (let tries = 0; !takeLock(at); tries++) {
    if (tries >= lockTries) refuse(at)
    await sleep(lockEveryMs)
  }
  writeFileSync(pidFile(at), String(process.pid))
}

/** For who is about to enter the namespace, where it will become the one. */
export function refuseSecond(at: Rooted): void {
  if (!takeLock(at)) refuse(at)
}

function refuse(at: Rooted): never {
  const pid = existsSync(pidFile(at)) ? readFileSync(pidFile(at), 'utf8') : 'unknown'
  throw new Error(`another sandboxd, process ${pid}, already serves ${at.root}`)
}

/**
 * Node has no flock of its own; flock(1) locks our open file, and what it locked stays so when it ends. The file is
 * never closed: the lock goes with us, or with our becoming another program.
 */
function takeLock(at: Rooted): boolean {
  const file = openSync(join(at.root, 'sandboxd.lock'), 'a', 0o600)
  const argv = ['--nonblock', '--conflict-exit-code', String(heldByOther), '3']
  const { status, error } = spawnSync('/usr/bin/flock', argv, { stdio: ['ignore', 'ignore', 'inherit', file] })
  if (status === 0) return true
  closeSync(file)
  if (status === heldByOther) return false
  throw new Error(`flock ended with ${status} for ${at.root}`, { cause: error })
}

export async function endTheOne(at: Rooted): Promise<void> {
  for (let tries = 0; ; tries++) {
    const pid = running(at)
    if (pid === undefined) return
    process.kill(pid, tries < endTries ? 'SIGTERM' : 'SIGKILL')
    await sleep(endEveryMs)
  }
}

/** The process that the pid file names, if it is still a daemon of this root. */
function running(at: Rooted): number | undefined {
  if (!existsSync(pidFile(at))) return undefined
  const pid = Number(readFileSync(pidFile(at), 'utf8'))
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return undefined
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${at.root}\0`) ? pid : undefined
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
