/** What is done to the image of a volume: ext4 is made, grown, copied, told to stand still, each by its tool. */
import { chmod, open, stat, truncate } from 'node:fs/promises'
import { isMounted, mountDisk, sourceOf, unmount } from './mounts.ts'
import { kill, processesOfRoot } from './processes.ts'
import { run, ToolFailed } from './run.ts'

/** Both users of a sandbox may write at its top: the one owns it, the other is of its group. */
const topOwner = '1000:0'
const topMode = 0o775
const blockBytes = 4096
const copyTimeoutMs = 60 * 60_000
const growTimeoutMs = 10 * 60_000
const endTimeoutMs = 60_000

export async function formatImage(image: { file: string; sizeBytes: number; point: string }): Promise<void> {
  const file = await open(image.file, 'wx', 0o600)
  await file.truncate(image.sizeBytes)
  await file.close()
  const options = ['-e', 'remount-ro', '-m', '0', '-b', String(blockBytes)]
  const extended = ['lazy_itable_init=1', 'lazy_journal_init=1', 'nodiscard', `root_owner=${topOwner}`]
  await run('mkfs.ext4', ['-q', '-F', ...options, '-E', extended.join(), image.file])
  await mountDisk({ file: image.file, at: image.point })
  await chmod(image.point, topMode)
  await unmount(image.point)
}

/** While it is mounted. A root without CAP_SYS_RESOURCE, as in many containers, is not allowed to. */
export async function growMounted(image: {
  file: string
  sizeBytes: number
  point: string
}): Promise<'grown' | 'forbidden'> {
  const { file, sizeBytes, point } = image
  await truncate(file, Math.max(sizeBytes, (await stat(file)).size))
  const device = sourceOf(point)
  await run('losetup', ['--set-capacity', device])
  return run('resize2fs', [device, blocks(sizeBytes)], { timeoutMs: growTimeoutMs }).then(
    () => 'grown',
    (error: unknown) => {
      if (error instanceof ToolFailed && error.message.includes('Permission denied to resize')) return 'forbidden'
      throw error
    },
  )
}

/** While nothing has it mounted. */
export async function growAlone({ file, sizeBytes }: { file: string; sizeBytes: number }): Promise<void> {
  await truncate(file, sizeBytes)
  await run('e2fsck', ['-f', '-y', file], { timeoutMs: growTimeoutMs }).catch((error: unknown) => {
    // It set something right, as the free counts that a sleeping disk keeps elsewhere.
    if (!(error instanceof ToolFailed) || error.code !== 1) throw error
  })
  await run('resize2fs', [file, blocks(sizeBytes)], { timeoutMs: growTimeoutMs })
}

export async function copyImage({ from, to }: { from: string; to: string }): Promise<void> {
  const options = ['--reflink=auto', '--sparse=always', '--no-target-directory']
  await run('nice', ['cp', ...options, from, to], { timeoutMs: copyTimeoutMs, isUrgent: true })
}

/**
 * The file system stands still while `work` is done: it writes out all that programs were promised, and then nothing.
 * Who writes in spite of that waits.
 */
export async function standingStill(point: string, work: () => Promise<void>): Promise<void> {
  still.add(point)
  try {
    await run('fsfreeze', ['--freeze', point], { timeoutMs: copyTimeoutMs, isUrgent: true })
    await work()
  } finally {
    await letMove(point)
    still.delete(point)
  }
}

const still = new Set<string>()

/** For who ends in the middle of a copy. */
export async function letStillMove(): Promise<void> {
  await letAllMove([...still])
}

async function letMove(point: string): Promise<void> {
  if (!isMounted(point)) return
  await run('fsfreeze', ['--unfreeze', point]).catch((error: unknown) => {
    // It was moving.
    if (!(error instanceof ToolFailed) || !error.message.includes('Invalid argument')) throw error
  })
}

/** A daemon that was killed while it copied left them standing still, or a tool that is just about to do so. */
export async function letAllMove(points: readonly string[]): Promise<void> {
  const freezing = () =>
    processesOfRoot().filter(({ argv }) => argv[0] === 'fsfreeze' && points.some((point) => argv.includes(point)))
  for (const deadline = Date.now() + endTimeoutMs; freezing().length > 0;) {
    if (Date.now() > deadline) throw new Error(`process ${freezing()[0]?.pid}, which freezes a volume, does not end`)
    for (const { pid } of freezing()) kill(pid)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  for (const point of points) await letMove(point)
}

const blocks = (sizeBytes: number) => String(Math.floor(sizeBytes / blockBytes))
