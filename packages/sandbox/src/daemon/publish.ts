/**
 * Gives a finished file its name, after its bytes have reached the disk: a name that says what is in it must not
 * outlive a power cut that the content did not.
 */
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

export async function publish({ file, as }: { file: string; as: string }): Promise<void> {
  await sync(file)
  await rename(file, as)
  await sync(dirname(as))
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
