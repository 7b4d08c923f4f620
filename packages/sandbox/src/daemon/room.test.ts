import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { instance } from './instance.ts'
import type { Instance } from './instance.ts'
import { ephemeralDisks, takeRoom, withRoom } from './room.ts'

const mebibyte = 2 ** 20

/** A root on a file system of its own, with so much above the reserve of 512 MiB. */
function rootWith({ freeMebibytes }: { freeMebibytes: number }): { at: Instance } & Disposable {
  const root = mkdtempSync('/var/tmp/perennial-room-')
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${512 + freeMebibytes}m`, 'room', root])
  const at = instance({ root, uid: 0, gid: 0, subnet: '10.0.0.0/16', images: join(root, 'images') })
  mkdirSync(ephemeralDisks(at))
  return {
    at,
    [Symbol.dispose]() {
      execFileSync('umount', [root])
      rmdirSync(root)
    },
  }
}

test('what is being written counts, so that two files that fit alone are not begun together', async () => {
  using root = rootWith({ freeMebibytes: 100 })
  const file = { sizeBytes: 60 * mebibyte }
  const nothing = async () => undefined
  await withRoom(root.at, file, () =>
    assert.rejects(
      withRoom(root.at, file, async () => undefined),
      { code: 'no-room' },
    ),
  )
  await assert.rejects(
    withRoom(root.at, file, () => Promise.reject(new Error('failed'))),
    /failed/,
  )
  await withRoom(root.at, file, nothing)
})

test('the log that a sandbox may fill is promised together with its disk', () => {
  using root = rootWith({ freeMebibytes: 100 })
  const take = (name: string) =>
    takeRoom(root.at, { file: join(ephemeralDisks(root.at), `${name}.ext4`), sizeBytes: mebibyte })
  // 1 MiB of disk and 8 MiB of log each.
  for (let i = 0; i < 11; i++) take(`s${i}`)
  assert.throws(() => take('one-more'), { code: 'no-room' })
})
