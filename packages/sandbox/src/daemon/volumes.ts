/**
 * Volumes: durable disks, one ext4 image each. Its size is the limit that its app runs into; what the app deletes is
 * given back to the machine. A note names the image that counts, and is replaced last: whatever a killed daemon was
 * doing, the next one finds the volume as it was before or as it was to be, and removes images that no note names.
 *
 * On the disk, files belong to the ids that sandboxes see inside; each sandbox mounts it with its own range of the
 * host's ids laid over (`bundle.ts`). So a volume outlives its app's releases, the machine's boots and moves of the
 * root folder, all of which change the range.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Volume } from '../verbs.ts'
import type { Instance } from './instance.ts'
import { isMounted, mountDisk, removeFile, unmount } from './mounts.ts'
import { sync } from './publish.ts'
import { replaceFile } from './records.ts'
import { Refusal } from './refuse.ts'
import { refuseWithoutRoom, volumeDisks, withRoom } from './room.ts'
import { copyImage, formatImage, growAlone, growMounted, letAllMove, standingStill } from './volume-images.ts'
import { loadVolumeNotes, newImageName } from './volume-notes.ts'
import type { VolumeNote } from './volume-notes.ts'

export interface Volumes {
  owner(id: string): string | undefined
  list(): Promise<Volume[]>
  /** Makes it, or makes it larger. */
  make(wanted: { id: string; owner: string; sizeBytes: number }): Promise<Volume>
  /** Ids of those that are mounted. */
  mounted(): Promise<string[]>
  /** Answers where on the host its files are. */
  mount(id: string): Promise<string>
  unmount(id: string): Promise<void>
  copy(input: { from: string; to: string }): Promise<Volume>
  remove(id: string): Promise<void>
}

export async function openVolumes(at: Instance): Promise<Volumes> {
  const folder = volumeDisks(at)
  const notes = await loadVolumeNotes(folder)
  const image = ({ file }: Pick<VolumeNote, 'file'>) => join(folder, file)
  const points = join(at.run, 'volumes')
  const point = (id: string) => join(points, id)
  await mkdir(points, { recursive: true })
  await letAllMove((await readdir(points)).map(point))

  function find(id: string): VolumeNote {
    const note = notes.get(id)
    if (!note) throw new Refusal('missing', `there is no volume ${id}; make it first`)
    return note
  }

  function refuseDamaged(id: string): void {
    if (!notes.has(id) && existsSync(join(folder, `${id}.json`)))
      throw new Refusal('conflict', `the note of the volume ${id} is damaged; see sandboxd's log`)
  }

  async function see(note: VolumeNote): Promise<Volume> {
    const { id, owner, sizeBytes } = note
    return { id, owner, sizeBytes, usedBytes: (await stat(image(note))).blocks * 512 }
  }

  async function save(note: VolumeNote): Promise<Volume> {
    await replaceFile(join(folder, `${note.id}.json`), JSON.stringify(note))
    notes.set(note.id, note)
    return see(note)
  }

  /** Makes the image of `next`, then names it in the note. */
  async function replace(old: VolumeNote | undefined, next: VolumeNote, make: () => Promise<void>): Promise<Volume> {
    try {
      await make()
      await sync(image(next))
    } catch (error) {
      await unmount(point(next.id))
      await removeFile(image(next))
      throw error
    }
    if (old) await unmount(point(next.id))
    const volume = await save(next)
    if (old) await removeFile(image(old))
    return volume
  }

  async function mount(id: string): Promise<string> {
    await mountDisk({ file: image(find(id)), at: point(id) })
    return point(id)
  }

  function create(note: VolumeNote): Promise<Volume> {
    const { id, sizeBytes } = note
    refuseWithoutRoom(at, note)
    return replace(undefined, note, () => formatImage({ file: image(note), sizeBytes, point: point(id) }))
  }

  /** While sandboxes use it, too. A grown image with the old note is grown again by whoever asks again. */
  async function grow(note: VolumeNote, sizeBytes: number): Promise<Volume> {
    const { id } = note
    refuseWithoutRoom(at, { sizeBytes: sizeBytes - note.sizeBytes })
    const isInUse = isMounted(point(id))
    await mount(id)
    const end = await growMounted({ file: image(note), sizeBytes, point: point(id) })
    if (!isInUse) await unmount(point(id))
    if (end === 'grown') {
      await sync(image(note))
      return save({ ...note, sizeBytes })
    }
    if (isInUse) {
      const why = 'this machine gives sandboxd no CAP_SYS_RESOURCE, so a disk that is in use cannot grow'
      throw new Refusal('conflict', `${why}; stop what has the volume ${id} mounted first`)
    }
    // Not the image itself: a tool that a killed daemon left could still be at it when the next one mounts it.
    const grown = { ...note, sizeBytes, file: newImageName(id) }
    return replace(note, grown, async () => {
      await copyImage({ from: image(note), to: image(grown) })
      await growAlone({ file: image(grown), sizeBytes })
    })
  }

  return {
    owner: (id) => notes.get(id)?.owner,
    list: () => Promise.all([...notes.values()].map(see)),
    async make({ id, owner, sizeBytes }) {
      refuseDamaged(id)
      const note = notes.get(id)
      if (!note) return create({ id, owner, sizeBytes, file: newImageName(id) })
      if (note.owner !== owner) throw new Refusal('conflict', `the volume ${id} exists and is not of ${owner}`)
      if (note.sizeBytes > sizeBytes)
        throw new Refusal('invalid', `the volume ${id} has ${note.sizeBytes} bytes and never shrinks`)
      return note.sizeBytes === sizeBytes ? see(note) : grow(note, sizeBytes)
    },
    mounted: () => readdir(points),
    mount,
    async unmount(id) {
      await unmount(point(id))
    },
    /** It is a disk that was unmounted at that moment. */
    async copy({ from, to }) {
      refuseDamaged(to)
      const source = find(from)
      const copied = { ...source, id: to, file: newImageName(to) }
      const { usedBytes } = await see(source)
      const wasMounted = isMounted(point(from))
      const copy = async () => {
        await mount(from)
        try {
          await standingStill(point(from), () => copyImage({ from: image(source), to: image(copied) }))
        } finally {
          if (!wasMounted) await unmount(point(from))
        }
      }
      return replace(notes.get(to), copied, () => withRoom(at, { sizeBytes: usedBytes }, copy))
    },
    async remove(id) {
      const note = notes.get(id)
      if (!note) return
      await unmount(point(id))
      await removeFile(join(folder, `${id}.json`))
      notes.delete(id)
      await removeFile(image(note))
    },
  }
}
