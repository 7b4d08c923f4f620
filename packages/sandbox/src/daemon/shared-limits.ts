/**
 * Limits that the kernel keeps for all together: the sandboxes' notifications of changed files are counted to root,
 * who made their user namespaces, up to 128 in all; open files to the whole machine. One sandbox could use up either,
 * and neither another one nor this daemon would get any more. The memory behind them is counted to whoever takes it,
 * within its own limit, so the common limits can be as high as they go. (systemd does the same for open files.)
 */
import { readFileSync, writeFileSync } from 'node:fs'

const mostOfAnInt = 2_147_483_647
const limits: Readonly<Record<string, number>> = {
  'fs/inotify/max_user_instances': mostOfAnInt,
  'fs/inotify/max_user_watches': mostOfAnInt,
  'fs/file-max': mostOfAnInt,
}

export function liftSharedLimits(): void {
  for (const [name, most] of Object.entries(limits)) {
    const file = `/proc/sys/${name}`
    if (BigInt(readFileSync(file, 'utf8').trim()) >= BigInt(most)) continue
    try {
      writeFileSync(file, String(most))
    } catch (error) {
      console.error(`${file} could not be raised to ${most}; one sandbox can use it up for all of this machine:`, error)
    }
  }
}
