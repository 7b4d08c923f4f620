/**
 * What the daemon knows about each sandbox, one JSON file each, written before the first step is taken: after
 * kill -9 the next daemon finds every intent and either adopts what runs or clears it away.
 */
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Exit, SandboxSpec, WireReading } from '../verbs.ts'
import type { Instance } from './instance.ts'
import { removeFile } from './mounts.ts'

export interface SandboxRecord {
  readonly spec: SandboxSpec
  /** Its number: address and interface follow from it. */
  readonly index: number
  /** Number of its range of user ids: its own, or that of its scratch disk. */
  readonly idsIndex: number
  /** Names this life of its counters. */
  readonly boot: string
  /** Boot of the machine in which it was started. */
  readonly machineBoot: string
  state: 'creating' | 'running' | 'exited'
  pid: number
  /** Of its first process, as another may have its number one day. */
  born?: string
  startedAt: number
  exit?: Exit
  /** The reading taken between its exit and the removal of its counters. */
  last?: WireReading
}

const folder = (at: Instance) => join(at.root, 'sandboxes')
const file = (at: Instance, id: string) => join(folder(at), `${id}.json`)

export async function saveRecord(at: Instance, record: SandboxRecord): Promise<void> {
  await replaceFile(file(at, record.spec.id), JSON.stringify(record))
}

export async function removeRecord(at: Instance, id: string): Promise<void> {
  await removeFile(file(at, id))
}

/** Records of a half-written file (the machine lost power) come back as their id alone. */
export async function loadRecords(at: Instance): Promise<{ records: SandboxRecord[]; broken: string[] }> {
  await mkdir(folder(at), { recursive: true })
  const records: SandboxRecord[] = []
  const broken: string[] = []
  for (const name of await readdir(folder(at))) {
    if (!name.endsWith('.json')) await removeFile(join(folder(at), name))
    else {
      const record = parse(await readFile(join(folder(at), name), 'utf8'))
      if (record) records.push(record)
      else broken.push(name.slice(0, -'.json'.length))
    }
  }
  return { records, broken }
}

function parse(text: string): SandboxRecord | undefined {
  try {
    return JSON.parse(text) as SandboxRecord
  } catch {
    return undefined
  }
}

/** Readers see the old content or the new, never a part; synced, as last readings are somebody's money. */
export async function replaceFile(path: string, content: string): Promise<void> {
  // Another daemon may write the same file, of runtime images that both use.
  const temporary = `${path}.${process.pid}.new`
  const handle = await open(temporary, 'w', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, path)
}
