/**
 * Volumes: durable disks, one ext4 image each. Its size is the limit that its app runs into; what the app deletes is
 * given back to the machine. A note names the image that counts, and is replaced last: whatever a killed daemon was
 * doing, the next one finds the volume as it was before or as it was to be, and removes images that no note names.
 *
 * On the disk, files belong to the ids that sandboxes see inside; each sandbox mounts it with its own range of the
 * host's ids laid over (`bundle.ts`). So a volume outlives its app's releases, the machine's boots and moves of the
 * root folder, all of which change the range.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, open, readFile, readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import type { Volume } from '../verbs.ts'
import type { Instance } from './instance.ts'
import { isMounted, mountDisk, removeFile, sourceOf, unmount } from './mounts.ts'
import { replaceFile } from './records.ts'
import { Refusal } from './refuse.ts'
import { refuseWithoutRoom, volumeDisks, withRoom } from './room.ts'
import { run, ToolFailed } from './run.ts'

interface Note {
  readonly id: string
  readonly owner: string
  readonly sizeBytes: number
  /** Name of its image. */
  readonly file: string
}

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

/** Both users of a sandbox may write at its top: the one owns it, the other is of its group. */
const topOwner = '1000:0'
const topMode = 0o775
const blockBytes = 4096
const copyTimeoutMs = 60 * 60_000
const growTimeoutMs = 10 * 60_000

export async function openVolumes(at: Instance): Promise<Volumes> {
  const folder = volumeDisks(at)
  const notes = await load(folder)
  const image = ({ file }: Pick<Note, 'file'>) => join(folder, file)
  const point = (id: string) => join(at.run, 'volumes', id)
  for (const id of await mounted()) await thaw(point(id))

  async function mounted(): Promise<string[]> {
    await mkdir(join(at.run, 'volumes'), { recursive: true })
    return readdir(join(at.run, 'volumes'))
  }

  function find(id: string): Note {
    const note = notes.get(id)
    if (!note) throw new Refusal('missing', `there is no volume ${id}; make it first`)
    return note
  }

  function refuseDamaged(id: string): void {
    if (!notes.has(id) && existsSync(join(folder, `${id}.json`)))
      throw new Refusal('conflict', `the note of the volume ${id} is damaged; see sandboxd's log`)
  }

  async function save(note: Note): Promise<Volume> {
    await replaceFile(join(folder, `${note.id}.json`), JSON.stringify(note))
    notes.set(note.id, note)
    return see(note)
  }

  async function see(note: Note): Promise<Volume> {
    const { id, owner, sizeBytes } = note
    return { id, owner, sizeBytes, usedBytes: (await stat(image(note))).blocks * 512 }
  }

  async function mount(id: string): Promise<string> {
    await mountDisk({ file: image(find(id)), at: point(id) })
    return point(id)
  }

  async function format(note: Note): Promise<Volume> {
    refuseWithoutRoom(at, note)
    const file = await open(image(note), 'wx', 0o600)
    await file.truncate(note.sizeBytes)
    await file.close()
    const options = ['-e', 'remount-ro', '-m', '0', '-b', String(blockBytes)]
    const extended = ['lazy_itable_init=1', 'lazy_journal_init=1', 'nodiscard', `root_owner=${topOwner}`]
    await run('mkfs.ext4', ['-q', '-F', ...options, '-E', extended.join(), image(note)])
    await mountDisk({ file: image(note), at: point(note.id) })
    await chmod(point(note.id), topMode)
    await unmount(point(note.id))
    await syncFile(image(note))
    return save(note)
  }

  /** While sandboxes use it, too. A grown image with the old note is grown again by whoever asks again. */
  async function grow(note: Note, sizeBytes: number): Promise<Volume> {
    refuseWithoutRoom(at, { sizeBytes: sizeBytes - note.sizeBytes })
    const isInUse = isMounted(point(note.id))
    await truncate(image(note), Math.max(sizeBytes, (await stat(image(note))).size))
    const device = sourceOf(await mount(note.id))
    await run('losetup', ['--set-capacity', device])
    const grown = await run('resize2fs', [device, blocks(sizeBytes)], { timeoutMs: growTimeoutMs }).then(
      () => true,
      (error: unknown) => isForbidden(error),
    )
    if (!isInUse) await unmount(point(note.id))
    if (grown === true) {
      await syncFile(image(note))
      return save({ ...note, sizeBytes })
    }
    if (!isInUse) return growCopy(note, sizeBytes)
    const why = 'this machine gives sandboxd no CAP_SYS_RESOURCE, so a disk that is in use cannot grow'
    throw new Refusal('conflict', `${why}; stop what has the volume ${note.id} mounted first`)
  }

  /** A tool that was left alone on the image itself could still be at it when the next daemon mounts it. */
  async function growCopy(note: Note, sizeBytes: number): Promise<Volume> {
    const grown = { ...note, sizeBytes, file: newName(note.id) }
    return replace(note, grown, async () => {
      await copyImage(image(note), image(grown))
      await truncate(image(grown), sizeBytes)
      await run('e2fsck', ['-f', '-y', image(grown)], { timeoutMs: growTimeoutMs }).catch(acceptCorrected)
      await run('resize2fs', [image(grown), blocks(sizeBytes)], { timeoutMs: growTimeoutMs })
    })
  }

  /** Makes the image of `next`, then names it in the note. */
  async function replace(old: Note | undefined, next: Note, make: () => Promise<void>): Promise<Volume> {
    try {
      await make()
      await syncFile(image(next))
    } catch (error) {
      await removeFile(image(next))
      throw error
    }
    if (old) await unmount(point(next.id))
    const volume = await save(next)
    if (old) await removeFile(image(old))
    return volume
  }

  return {
    owner: (id) => notes.get(id)?.owner,
    list: () => Promise.all([...notes.values()].map(see)),
    async make({ id, owner, sizeBytes }) {
      const note = notes.get(id)
      refuseDamaged(id)
      if (!note) return format({ id, owner, sizeBytes, file: newName(id) })
      if (note.owner !== owner) throw new Refusal('conflict', `the volume ${id} exists and is not of ${owner}`)
      if (note.sizeBytes > sizeBytes)
        throw new Refusal('invalid', `the volume ${id} has ${note.sizeBytes} bytes and never shrinks`)
      return note.sizeBytes === sizeBytes ? see(note) : grow(note, sizeBytes)
    },
    mount,
    mounted,
    async unmount(id) {
      await unmount(point(id))
    },
    /**
     * The file system is told to stand still meanwhile: it writes out all that programs were promised and then
     * nothing, so that the copy is a disk that was unmounted at that moment. Who writes in spite of that waits.
     */
    async copy({ from, to }) {
      const source = find(from)
      const old = notes.get(to)
      refuseDamaged(to)
      const copied = { ...source, id: to, file: newName(to) }
      const wasMounted = isMounted(point(from))
      const copy = async () => {
        await mount(from)
        try {
          await run('fsfreeze', ['--freeze', point(from)])
          await copyImage(image(source), image(copied))
        } finally {
          await thaw(point(from))
          if (!wasMounted) await unmount(point(from))
        }
      }
      const { usedBytes } = await see(source)
      return replace(old, copied, () => withRoom(at, { sizeBytes: usedBytes }, copy))
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

/** Ids have no dot, so no image is taken for another volume's. */
const newName = (id: string) => `${id}.${randomBytes(6).toString('hex')}.ext4`

/** Where a note is damaged, nothing is done before somebody has looked. */
async function load(folder: string): Promise<Map<string, Note>> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const names = await readdir(folder)
  const notes = new Map<string, Note>()
  const damaged = new Set<string>()
  for (const name of names.filter((each) => each.endsWith('.json'))) {
    const id = name.slice(0, -'.json'.length)
    const note = parse(await readFile(join(folder, name), 'utf8'))
    if (note) notes.set(id, note)
    else damaged.add(id)
  }
  for (const id of damaged) console.error(`${join(folder, id)}.json is damaged: the volume ${id} is left as it is`)
  for (const name of names) {
    const id = name.slice(0, name.indexOf('.'))
    const isNamed = name === `${id}.json` || notes.get(id)?.file === name
    if (!isNamed && !damaged.has(id)) await removeFile(join(folder, name))
  }
  return notes
}

function parse(text: string): Note | undefined {
  try {
    return JSON.parse(text) as Note
  } catch {
    return undefined
  }
}

async function copyImage(from: string, to: string): Promise<void> {
  const options = ['--reflink=auto', '--sparse=always', '--no-target-directory']
  await run('nice', ['cp', ...options, from, to], { timeoutMs: copyTimeoutMs, isUrgent: true })
}

const blocks = (sizeBytes: number) => String(Math.floor(sizeBytes / blockBytes))

/** A root without CAP_SYS_RESOURCE, as in many containers, may not have the kernel grow a mounted disk. */
function isForbidden(error: unknown): false {
  if (error instanceof ToolFailed && error.message.includes('Permission denied to resize')) return false
  throw error
}

/** `e2fsck` ends with 1 when it set something right, as free counts that a sleeping disk keeps elsewhere. */
function acceptCorrected(error: unknown): void {
  if (!(error instanceof ToolFailed) || error.code !== 1) throw error
}

/** A daemon that was killed while it copied left it standing still. */
async function thaw(point: string): Promise<void> {
  if (!isMounted(point)) return
  await run('fsfreeze', ['--unfreeze', point]).catch((error: unknown) => {
    if (!(error instanceof ToolFailed) || !error.message.includes('Invalid argument')) throw error
  })
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
