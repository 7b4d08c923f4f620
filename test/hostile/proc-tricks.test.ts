import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import test, { after, before } from 'node:test'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { runPayload, spec } from './lab/payload.ts'
import { runWeakened } from './lab/weaken.ts'

/** Files below /proc are settings of the whole machine: a program to run at each crash, a key that restarts it. */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const settings = [
  '/proc/sysrq-trigger',
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe',
  '/proc/sys/kernel/hotplug',
  '/proc/sys/kernel/panic',
  '/proc/sys/kernel/hostname',
  '/proc/sys/kernel/shmmax',
  '/proc/sys/vm/drop_caches',
  '/proc/sys/vm/overcommit_memory',
  '/proc/sys/fs/file-max',
  '/proc/sys/fs/binfmt_misc/register',
  '/proc/sys/net/ipv4/ip_forward',
  '/proc/sys/net/ipv4/ip_unprivileged_port_start',
  '/proc/irq/default_smp_affinity',
  '/proc/mtrr',
]
const secrets = [
  '/proc/kcore',
  '/proc/kmsg',
  '/proc/kallsyms',
  '/proc/keys',
  '/proc/timer_list',
  '/proc/interrupts',
  '/proc/slabinfo',
]

/** Opens each to write, and writes nothing; reads a little of each; wants to be the last to be ended for memory. */
const attack = `
for file in ${settings.join(' ')}; do (: >> $file) 2> /dev/null && echo "open $file"; done
for file in ${secrets.join(' ')}; do
  [ "$(timeout 1 head -c 16 $file 2> /dev/null | wc -c)" -gt 0 ] && echo "read $file"
done
(echo -900 > /proc/self/oom_score_adj) 2> /dev/null && echo 'last to be ended'
ulimit -c unlimited 2> /dev/null && echo 'dumps its memory'
echo tried`

for (const user of ['app', 'root'] as const)
  test(`the user ${user} of a sandbox changes no setting of the machine below /proc and reads no secret there`, async () => {
    const { said } = await runPayload(cage.client, spec({ id: 'proc', user, script: attack }))
    assert.equal(said, 'tried\n')
  })

test('control: root of the host opens them all with the same lines', async () => {
  const said = await text(cage.outside({ argv: ['/bin/sh', '-c', attack], uid: 0 }).stdout)
  for (const line of [
    'open /proc/sys/kernel/core_pattern',
    'open /proc/sys/vm/drop_caches',
    'read /proc/kallsyms',
    'read /proc/keys',
    'dumps its memory',
  ])
    assert.ok(said.split('\n').includes(line), `${line} is not in\n${said}`)
})

test('control: without the covers on /proc, root of a sandbox opens what its namespaces own and reads what all may', async () => {
  const { said } = await runWeakened(cage, {
    spec: spec({ id: 'proc', user: 'root', script: attack }),
    weakness: { gone: 'covers on /proc' },
  })
  assert.match(said, /^open \/proc\/sys\/kernel\/shmmax$/m)
  assert.match(said, /^read \/proc\/interrupts$/m)
})
