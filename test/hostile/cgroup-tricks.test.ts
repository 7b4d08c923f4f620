import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import test, { after, before } from 'node:test'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { runPayload, spec } from './lab/payload.ts'

/**
 * Who can write to control groups lifts his own limits, or has the kernel run a program as root of the host when a
 * group becomes empty (`release_agent`).
 */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

/** Mounts what it can, looks for the files everywhere, opens them to write, and writes nothing. */
const attack = (at: string) => `
mkdir -p ${at}
mount -t cgroup -o pids none ${at} 2> /dev/null || mount -t cgroup2 none ${at} 2> /dev/null
for name in release_agent cgroup.procs pids.max memory.max memory.limit_in_bytes cgroup.subtree_control; do
  for file in $(find ${at} /sys /proc/self/root/sys /tmp -maxdepth 3 -name $name 2> /dev/null); do
    (: >> $file) 2> /dev/null && echo "open $name"
  done
done
echo tried`

for (const user of ['app', 'root'] as const)
  test(`the user ${user} of a sandbox finds no control group to write to`, async () => {
    const { said } = await runPayload(cage.client, spec({ id: 'groups', user, script: attack('/tmp/groups') }))
    assert.equal(said, 'tried\n')
  })

test('control: root of the host finds and opens them with the same lines', async () => {
  // In a mount namespace of its own, so that nothing of it stays.
  const argv = ['/usr/bin/unshare', '--mount', '/bin/sh', '-c', attack(`${cage.disk}/groups`)]
  const said = await text(cage.outside({ argv, uid: 0 }).stdout)
  assert.match(said, /^open cgroup.procs$/m)
  assert.match(said, /^open (?:release_agent|cgroup.subtree_control)$/m)
})

test('a sandbox does not learn where on the machine its groups lie', async () => {
  const { said } = await runPayload(cage.client, spec({ id: 'where', script: 'cat /proc/self/cgroup /proc/1/cgroup' }))
  assert.ok(said.split('\n').filter(Boolean).length > 0)
  assert.doesNotMatch(said, /perennial/)
  // Control: outside, the same file says it.
  const outside = await text(cage.outside({ argv: ['/bin/cat', '/proc/self/cgroup'], uid: 0 }).stdout)
  assert.match(outside, /perennial/)
})
