/** Which volumes there are: a note each, that names the image which counts. */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFile } from './mounts.ts'

export interface VolumeNote {
  readonly id: string
  readonly owner: string
  readonly sizeBytes: number
  /** Name of its image. */
  readonly file: string
}

/** Ids have no dot, so no image is taken for another volume's. */
export const newImageName = (id: string) => `${id}.${randomBytes(6).toString('hex')}.ext4`

/** Removes images that no note names. Where a note is damaged, nothing is done before somebody has looked. */
export async function loadVolumeNotes(folder: string): Promise<Map<string, VolumeNote>> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const names = await readdir(folder)
  const notes = new Map<string, VolumeNote>()
  const damaged = new Set<string>()
  for (const name of names.filter((each) => each.endsWith('.json'))) {
    const id = name.slice(0, -'.json'.length)
    const note = parse(await readFile(join(folder, name), 'utf8'))
    if (note && names.includes(note.file)) notes.set(id, note)
    else damaged.add(id)
  }
  for (const id of damaged)
    console.error(`${join(folder, id)}.json is damaged or its image is gone: the volume ${id} is left as it is`)
  for (const name of names) {
    const id = name.slice(0, name.indexOf('.'))
    const isNamed = name === `${id}.json` || notes.get(id)?.file === name
    if (!isNamed && !damaged.has(id)) await removeFile(join(folder, name))
  }
  return notes
}

function parse(text: string): VolumeNote | undefined {
  try {
    return JSON.parse(text) as VolumeNote
  } catch {
    return undefined
  }
}
