/** One daemon per root: two would undo each other's work. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

interface Rooted {
  readonly root: string
}

/** TERM this often, then KILL. */
const endTries = 100
const endEveryMs = 50

const pidFile = (at: Rooted) => join(at.root, 'sandboxd.pid')

export function becomeTheOne(at: Rooted): void {
  const other = running(at)
  if (other !== undefined) throw new Error(`another sandboxd, process ${other}, already serves ${at.root}`)
  writeFileSync(pidFile(at), String(process.pid))
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
