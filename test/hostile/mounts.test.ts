import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import test, { after, before } from 'node:test'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { runPayload, spec } from './lab/payload.ts'

/** Mounts that would bring in files of the host, and devices that lead around every file system. */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const mounts = (at: string) => `
mkdir -p ${at}/m; cd ${at}
mount -t tmpfs none m 2> /dev/null && echo 'mounted memory'
mount -t proc none m 2> /dev/null && echo 'mounted processes'
mount -t sysfs none m 2> /dev/null && echo 'mounted devices'
mount -o bind / m 2> /dev/null && echo 'mounted another place'
mount -o remount,rw / 2> /dev/null && echo 'remounted the root'
umount /proc 2> /dev/null && echo 'unmounted'
echo tried`

const devices = (at: string) => `
cd ${at}
for device in 'mem c 1 1' 'kmsg c 1 11' 'loop b 7 0' 'fuse c 10 229' 'tun c 10 200' 'kvm c 10 232' 'disk b 254 0' 'disk2 b 8 0'; do
  set -- $device
  mknod $1 $2 $3 $4 2> /dev/null && echo "made $1"
done
echo tried`

for (const user of ['app', 'root'] as const)
  test(`the user ${user} of a sandbox mounts nothing, unmounts nothing and makes no device`, async () => {
    for (const script of [mounts('/tmp'), devices('/tmp'), devices('/dev/shm')]) {
      const { said } = await runPayload(cage.client, spec({ id: 'mounts', user, script }))
      assert.equal(said, 'tried\n')
    }
  })

test('control: root of the host does all of that with the same lines', async () => {
  // In a mount namespace of its own, below a folder of its own that goes with it.
  const script = `mount -t tmpfs none ${cage.disk}/../disk && cd / && ${mounts(`${cage.disk}`)}${devices(`${cage.disk}`)}`
  const said = await text(
    cage.outside({ argv: ['/usr/bin/unshare', '--mount', '/bin/sh', '-c', script], uid: 0 }).stdout,
  )
  for (const line of ['mounted memory', 'mounted another place', 'made mem', 'made loop'])
    assert.ok(said.split('\n').includes(line), `${line} is not in\n${said}`)
})

test('the only devices are those that every program needs', async () => {
  const script = `find /dev ! -type d ! -type l | sort; for d in /dev/*; do [ -b $d ] && echo "block $d"; done; true`
  const { said } = await runPayload(cage.client, spec({ id: 'devices', user: 'root', script }))
  const names = ['full', 'null', 'random', 'tty', 'urandom', 'zero'].map((name) => `/dev/${name}`)
  assert.deepEqual(said.trim().split('\n'), names)
  // Control: outside, the same lines find disks.
  const outside = await text(cage.outside({ argv: ['/bin/sh', '-c', script], uid: 0 }).stdout)
  assert.match(outside, /^block \/dev\//m)
})
