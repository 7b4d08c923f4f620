/**
 * Gives a finished file its name, after its bytes have reached the disk: a name that says what is in it must not
 * outlive a power cut that the content did not.
 */
import { link, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

export async function publish({ file, as }: { file: string; as: string }): Promise<void> {
  await sync(file)
  await rename(file, as)
  await sync(dirname(as))
}

/** The same, but what has the name already keeps it: others may use it. */
export async function publishFirst({ file, as }: { file: string; as: string }): Promise<void> {
  await sync(file)
  await link(file, as).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await sync(dirname(as))
}

/** Until its bytes, or the names in it, have reached the disk. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
