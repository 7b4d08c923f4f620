import assert from 'node:assert/strict'
import { chownSync, statSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { hostUid } from '../../packages/sandbox/src/daemon/instance.ts'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { runPayload, spec } from './lab/payload.ts'
import { runWeakened } from './lab/weaken.ts'

/** The few devices in a sandbox are the host's own files: taken away from there, they are gone for everybody. */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty']
const take = (paths: readonly string[]) =>
  paths.map((path) => `chmod 600 ${path} 2> /dev/null && echo took ${path}; rm ${path} 2> /dev/null`).join('\n')

for (const user of ['app', 'root'] as const)
  test(`the user ${user} of a sandbox cannot close a device of the host to others`, async () => {
    const stats = () =>
      devices.map((name) => statSync(join('/dev', name))).map(({ uid, mode, ino }) => ({ uid, mode, ino }))
    const before = stats()
    const attack = `${take(devices.map((name) => `/dev/${name}`))}\necho x > /dev/null && echo usable`
    const { said } = await runPayload(cage.client, spec({ id: 'taker', user, script: attack }))
    assert.equal(said, 'usable\n')
    assert.deepEqual(stats(), before)
  })

test('control: a device that belongs to its user is closed', async () => {
  const folder = join(cage.disk, 'devices')
  execFileSync('mkdir', [folder])
  const device = join(folder, 'null')
  execFileSync('mknod', ['-m', '666', device, 'c', '1', '3'])
  const uid = hostUid(cage.at, 900) + 1000
  chownSync(device, uid, uid)
  const { said } = await runWeakened(cage, {
    spec: spec({ id: 'taker', script: take(['/tmp/host/null']) }),
    weakness: { gone: 'its own files', from: folder, to: '/tmp/host' },
  })
  assert.equal(said, 'took /tmp/host/null\n')
  assert.equal(statSync(device).mode & 0o777, 0o600)
})
