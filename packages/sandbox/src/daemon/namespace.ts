/**
 * The daemon's private mount namespace. Two reasons: on hosts with both cgroup versions crun works only where
 * the v2 mount is hidden, and what we mount is nobody else's business. The namespace is pinned by a file, so
 * it and all mounts in it outlive a killed daemon; the next one enters it again.
 */
import { existsSync, mkdirSync, readFileSync, readlinkSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hierarchies } from './cgroup.ts'
import { isMounted } from './mounts.ts'
import { run } from './run.ts'

const nsfsMagic = 0x6e73_6673

const pinFolder = (root: string) => join(root, 'ns')
const pin = (root: string) => join(pinFolder(root), 'mnt')

/** Makes the namespace unless it is there; answers the command that enters it. */
export async function enterCommand(root: string): Promise<string[]> {
  mkdirSync(pinFolder(root), { recursive: true, mode: 0o700 })
  // A namespace can only be pinned on a mount that is shared with nobody.
  if (!isMounted(pinFolder(root))) {
    await run('mount', ['--bind', pinFolder(root), pinFolder(root)])
    await run('mount', ['--make-private', pinFolder(root)])
  }
  if (!existsSync(pin(root))) writeFileSync(pin(root), '', { mode: 0o600 })
  if (statfsSync(pin(root)).type !== nsfsMagic)
    await run('unshare', [`--mount=${pin(root)}`, '--propagation', 'slave', 'true'])
  return ['/usr/bin/nsenter', `--mount=${pin(root)}`, '--']
}

export function mountNamespace(): string {
  return readlinkSync('/proc/self/ns/mnt')
}

/**
 * What we mount and unmount must stay in here. In the machine's own namespace it would lose its cgroups and
 * `/dev/null`; on a mount that is shared with it, an unmount would be carried over.
 */
export function ensureApart(outside: string): void {
  if (mountNamespace() === outside)
    throw new Error('sandboxd works in a mount namespace of its own; start it without --inside')
  const top = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[4] === '/')
  if (top?.split(' - ')[0]?.includes(' shared:'))
    throw new Error("the mounts of sandboxd's namespace are shared with the machine; make it with --propagation slave")
}

/** Once inside: hides cgroup v2 on hybrid hosts, closes `/dev/null` and mounts the folders in memory. */
export async function prepareNamespace(at: { run: string }): Promise<void> {
  const mounts = hierarchies()
  const unified = mounts.get('unified')
  if (unified && mounts.has('memory')) await run('umount', [unified])
  // crun gives a sandbox's standard streams to its user, and standard input is the host's own /dev/null: its new
  // owner could take it away from everybody. On a read-only mount it keeps its owner, and still takes writes.
  if (!isMounted('/dev/null')) await run('mount', ['--bind', '-o', 'ro', '/dev/null', '/dev/null'])
  mkdirSync(at.run, { recursive: true })
  // 0711: the sandboxes' users pass through it to their own folders, and cannot list it.
  if (!isMounted(at.run)) await run('mount', ['-t', 'tmpfs', '-o', 'mode=711,nosuid,nodev,noexec', 'sandboxd', at.run])
  mkdirSync('/run/netns', { recursive: true })
  // A folder of our own for network namespaces: those of the host have other names and other owners.
  if (!readFileSync('/proc/self/mountinfo', 'utf8').includes(netnsSource))
    await run('mount', ['-t', 'tmpfs', '-o', 'mode=700,nosuid,nodev,noexec', netnsSource, '/run/netns'])
}

const netnsSource = 'sandboxd-netns'

/** Lets go of the namespace; its mounts end with the last process in it. */
export async function unpin(root: string): Promise<void> {
  while (isMounted(pin(root))) await run('umount', ['-l', pin(root)])
  while (isMounted(pinFolder(root))) await run('umount', ['-l', pinFolder(root)])
}
