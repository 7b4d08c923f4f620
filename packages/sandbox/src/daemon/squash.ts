/**
 * Packs a folder so that the same files give the same bytes: one owner, no times, normalised modes. Files, folders
 * and links go in; a device, a pipe or a socket is nothing that a program was written as.
 */
import { chmod } from 'node:fs/promises'
import { run } from './run.ts'

const packTimeoutMs = 15 * 60_000

export async function squash(input: {
  folder: string
  /** Paths below the folder; nothing else is packed, and each stays where it was. */
  only?: readonly string[]
  file: string
  chmod: string
  /** Called with the process that packs. */
  begun?: (pid: number) => void
}): Promise<void> {
  const contents = ['-all-root', '-no-xattrs', '-all-time', '0', '-mkfs-time', '0']
  const compression = ['-comp', 'zstd', '-Xcompression-level', '3']
  const modes = ['-action', `chmod(${input.chmod})@true`, '-action', 'exclude@!(type(f)||type(d)||type(l))']
  // Of itself it would take a quarter of the machine's memory.
  const buffers = ['-mem', '256M']
  // `./`: no name that begins with a dash is taken for an option.
  const sources = input.only ? [...input.only.map((path) => `./${path}`), input.file, '-tarstyle'] : ['.', input.file]
  const argv = [...sources, '-noappend', ...buffers, '-quiet', '-no-progress', ...contents, ...compression, ...modes]
  await run('nice', ['-n', '10', 'mksquashfs', ...argv], {
    cwd: input.folder,
    timeoutMs: packTimeoutMs,
    ...(input.begun && { begun: input.begun }),
  })
  await chmod(input.file, 0o644)
}
