/**
 * Limits that the kernel keeps for all together: the sandboxes' notifications of changed files are counted to root,
 * who made their user namespaces, up to 128 in all; open files to the whole machine. One sandbox could use up either,
 * and neither another one nor this daemon would get any more. The memory behind them is counted to whoever takes it,
 * within its own limit, so the common limits can be as high as they go. (systemd does the same for open files.)
 *
 * The table of connections is everybody's, too. A connection that was closed stays in it for two minutes, by default:
 * an app that closes each one, visited two thousand times a second, fills it, and no new connection of anybody passes.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const mostOfAnInt = 2_147_483_647
const atLeast: Readonly<Record<string, number>> = {
  'fs/inotify/max_user_instances': mostOfAnInt,
  'fs/inotify/max_user_watches': mostOfAnInt,
  'fs/file-max': mostOfAnInt,
}
/** Seconds. */
const atMost: Readonly<Record<string, number>> = {
  'net/netfilter/nf_conntrack_tcp_timeout_time_wait': 5,
}

/** To be called once the firewall's rules stand: before, the kernel may know of no connections. */
export function openSharedLimits(): void {
  for (const [name, wanted] of Object.entries(atLeast)) set(name, wanted, (now) => now < BigInt(wanted))
  for (const [name, wanted] of Object.entries(atMost)) set(name, wanted, (now) => now > BigInt(wanted))
}

function set(name: string, wanted: number, isWrong: (now: bigint) => boolean): void {
  const file = `/proc/sys/${name}`
  if (existsSync(file) && !isWrong(BigInt(readFileSync(file, 'utf8').trim()))) return
  try {
    writeFileSync(file, String(wanted))
  } catch (error) {
    console.error(`${file} could not be set to ${wanted}; one sandbox can use up what it limits for everybody:`, error)
  }
}
