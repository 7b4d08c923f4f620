/**
 * What a test run leaves behind on the machine: processes, mounts, loop devices, network namespaces and interfaces.
 *
 * Two looks, before and after; what is new is said. A test that leaks shows itself here, not weeks later.
 */
import { readdirSync, readFileSync } from 'node:fs'

export type Traces = ReadonlyMap<string, string>

/** Programs that outlive whoever started them, by design; a test has to end them. */
const LASTING = new Set(['conmon', 'crun', 'haproxy', 'catatonit', 'postgres'])
/** One cluster for all tests of a user stays on purpose (packages/testnet/src/postgres.ts). */
const KEPT = /\/(dev\/shm|tmp)\/perennial-test-/

export function lookForTraces(): Traces {
  return new Map([...processes(), ...mounts(), ...loops(), ...networks()])
}

export function newTraces({ before, after }: { before: Traces; after: Traces }): string[] {
  return [...after].filter(([key]) => !before.has(key)).map(([, line]) => line)
}

function* processes(): Iterable<[string, string]> {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const name = read(`/proc/${pid}/comm`).trim()
    const words = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
    // What has ended but was not collected has no words. A backend of PostgreSQL shows no folder in its title; its
    // server does, and is enough.
    if (words === '' || !LASTING.has(name) || KEPT.test(words) || words.startsWith('postgres: ')) continue
    yield [`process ${pid} ${name}`, `process ${pid}: ${words.slice(0, 160)}`]
  }
}

function* mounts(): Iterable<[string, string]> {
  for (const line of read('/proc/self/mountinfo').split('\n')) {
    const point = line.split(' ')[4]
    if (point !== undefined) yield [`mount ${point}`, `mount ${point}`]
  }
}

function* loops(): Iterable<[string, string]> {
  for (const name of list('/sys/block').filter((entry) => entry.startsWith('loop'))) {
    const file = read(`/sys/block/${name}/loop/backing_file`).trim()
    if (file) yield [`loop ${name} ${file}`, `loop device /dev/${name} of ${file}`]
  }
}

function* networks(): Iterable<[string, string]> {
  for (const name of list('/run/netns')) yield [`netns ${name}`, `network namespace ${name}`]
  for (const name of list('/sys/class/net')) {
    const index = read(`/sys/class/net/${name}/ifindex`).trim()
    yield [`interface ${name} ${index}`, `network interface ${name}`]
  }
}

/** Things vanish while one looks: what cannot be read is not there. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
