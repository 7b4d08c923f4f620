/**
 * What is on the machine and belongs to no app that runs and no build that is under way, looked for from outside the
 * node, as root: control groups, supervisors, mounts, disks, loop devices, network namespaces, interfaces, programs.
 *
 * Things come and go while one looks, so only what is found at every look during the settling time is an orphan.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { allProcesses, type Process } from '@perennial/testnet'
import { tagOf } from '../../packages/sandbox/src/daemon/instance.ts'
import { groupOf } from './counters.ts'

/** What the node says in public that it has. */
export interface Said {
  /** By slug: how many instances the app's page shows. */
  readonly instances: ReadonlyMap<string, number>
  /** Ids of deployments that are fetched or built just now. */
  readonly building: ReadonlySet<string>
}

const LOOK_EVERY_MS = 400

/** Sentences about what stays for the whole settling time; ends at once when nothing does. */
export async function orphans(
  data: string,
  { ask, settleMs }: { ask: () => Promise<Said>; settleMs: number },
): Promise<string[]> {
  const untilMs = performance.now() + settleMs
  let staying: string[] | undefined
  for (;;) {
    const said = await ask()
    const found = look(data, said)
    staying = staying === undefined ? found : staying.filter((one) => found.includes(one))
    if (staying.length === 0 || performance.now() > untilMs) return staying
    await sleep(LOOK_EVERY_MS)
  }
}

/** One look; each sentence is a thing that nobody owns just now. */
export function look(data: string, said: Said): string[] {
  const root = join(data, 'sandbox')
  const processes = allProcesses()
  const records = readRecords(root)
  const owned = ownedBy(said, records)
  return [
    ...surplus(said, records),
    ...sandboxThings(root, processes).flatMap(({ id, what }) => (owned(id) ? [] : [what])),
    ...networks(root, processes, records),
    ...releaseLoops(root, records),
    ...programs(data, processes),
  ]
}

interface Record {
  readonly id: string
  readonly index: number
  readonly state: string
  readonly slug: string | null
  readonly release: string | undefined
}

function readRecords(root: string): Record[] {
  return list(join(root, 'sandboxes'))
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      const text = read(join(root, 'sandboxes', name))
      if (text === '') return []
      const { spec, index, state } = JSON.parse(text) as {
        spec: { id: string; env: { APP_URL?: string }; release?: string }
        index: number
        state: string
      }
      const url = spec.env.APP_URL
      const slug = url === undefined ? null : (new URL(url).hostname.split('.')[0] ?? null)
      return [{ id: spec.id, index, state, slug, release: spec.release }]
    })
}

/** Whether a sandbox or scratch disk of this name belongs to somebody. */
function ownedBy({ building }: Said, records: readonly Record[]): (id: string) => boolean {
  const ids = new Set(records.map(({ id }) => id))
  const underWay = new Set([...building].map((id) => id.replaceAll('-', '')))
  return (id) => {
    const deployment = /^(?:b|build)-([0-9a-f]{32})/.exec(id)?.[1]
    return deployment === undefined ? ids.has(id) : underWay.has(deployment)
  }
}

/** Sandboxes of apps that show fewer instances. */
function surplus({ instances }: Said, records: readonly Record[]): string[] {
  const byApp = new Map<string, string[]>()
  for (const { id, slug } of records) if (slug !== null) byApp.set(slug, [...(byApp.get(slug) ?? []), id])
  return [...byApp].flatMap(([slug, ids]) => {
    const shown = instances.get(slug) ?? 0
    return ids.length > shown
      ? [`${slug} shows ${shown} instances and has the sandboxes ${ids.toSorted().join(', ')}`]
      : []
  })
}

/** Everything that is named after a sandbox or a scratch disk. */
function sandboxThings(root: string, processes: readonly Process[]): { id: string; what: string }[] {
  const run = `/run/perennial-${tagOf(root)}`
  const things: { id: string; what: string }[] = []
  for (const id of groupOf(root).children()) things.push({ id, what: `control group of ${id}` })
  for (const { command } of processes) {
    const id = command.includes(`${run}/`) ? /conmon -c (\S+)/.exec(command)?.[1] : undefined
    if (id !== undefined) things.push({ id, what: `supervisor of ${id}` })
  }
  for (const point of mountPoints(root, processes)) {
    const id = new RegExp(`^${run}/(?:sandboxes|scratch)/([^/]+)`).exec(point)?.[1]
    if (id !== undefined) things.push({ id, what: `mount ${point}` })
  }
  for (const folder of ['disks', 'scratch'])
    for (const name of list(join(root, folder)))
      things.push({ id: name.replace(/\..*$/, ''), what: `file ${folder}/${name}` })
  for (const { device, file } of loops()) {
    const id = new RegExp(`^${root}/(?:disks|scratch)/([^/.]+)\\.`).exec(file)?.[1]
    if (id !== undefined) things.push({ id, what: `loop device ${device} of ${file}` })
  }
  for (const name of list(join(root, 'logs'))) things.push({ id: name.replace(/\..*$/, ''), what: `file logs/${name}` })
  return things
}

/** Each sandbox's number names its namespace and interface. */
function networks(root: string, processes: readonly Process[], records: readonly Record[]): string[] {
  const numbers = new Set(records.map(({ index }) => index))
  const prefix = `p${tagOf(root).slice(0, 6)}v`
  const daemon = daemonOf(root, processes)
  const spaces = daemon === undefined ? [] : list(`/proc/${daemon}/root/run/netns`)
  const links = list('/sys/class/net').filter((name) => name.startsWith(prefix))
  return [
    ...spaces.filter((name) => !numbers.has(Number(name.slice(1)))).map((name) => `network namespace ${name}`),
    ...links
      .filter((name) => !numbers.has(Number(name.slice(prefix.length))))
      .map((name) => `network interface ${name}`),
  ]
}

/** A release is mounted while a sandbox runs it. */
function releaseLoops(root: string, records: readonly Record[]): string[] {
  return loops().flatMap(({ device, file }) => {
    const sha256 = new RegExp(`^${root}/releases/([0-9a-f]{64})`).exec(file)?.[1]
    if (sha256 === undefined) return []
    const runs = records.some(({ release, state }) => release === sha256 && state !== 'exited')
    return runs ? [] : [`loop device ${device} of release ${sha256.slice(0, 12)}, which nothing runs`]
  })
}

/** One of each, however often it was started. */
function programs(data: string, processes: readonly Process[]): string[] {
  const marks = {
    PostgreSQL: `postgres -D ${data}/`,
    HAProxy: `haproxy -W -D -p ${data}/`,
    sandboxd: `sandbox/src/daemon/main.ts --root ${data}/`,
  }
  return Object.entries(marks).flatMap(([name, mark]) => {
    const ours = processes.filter(({ command }) => command.includes(mark))
    const first = ours.filter(({ parent }) => !ours.some(({ pid }) => pid === parent))
    return first.length > 1 ? [`${first.length} programs ${name}: ${first.map(({ pid }) => pid).join(', ')}`] : []
  })
}

function daemonOf(root: string, processes: readonly Process[]): number | undefined {
  return processes.find(({ command }) => command.includes(`sandbox/src/daemon/main.ts --root ${root} `))?.pid
}

/** As the daemon sees them: its mounts are nobody else's. */
function mountPoints(root: string, processes: readonly Process[]): string[] {
  const daemon = daemonOf(root, processes)
  if (daemon === undefined) return []
  return read(`/proc/${daemon}/mountinfo`)
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
}

function loops(): { device: string; file: string }[] {
  return list('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .map((device) => ({ device, file: read(`/sys/block/${device}/loop/backing_file`).trim() }))
}

/** What goes while one looks is not there. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
