import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { openCage } from './cage.ts'
import type { Cage } from './cage.ts'
import { runPayload, spec } from './payload.ts'
import { answersOf, probeScript } from './probe.ts'
import type { Argument, Call } from './probe.ts'
import { runWeakened } from './weaken.ts'

let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

/** "There is no such call": what the filter answers before the kernel looks at the arguments. */
const ENOSYS = -38n

const call = (name: string, x64: number, arm64: number, ...args: Argument[]): Call => ({
  name,
  number: { x64, arm64 },
  arguments: args,
})
const socket = (name: string, family: number, type: number, protocol: number) =>
  call(name, 41, 198, family, type, protocol)

const newUser = 0x1000_0000
const newMount = 0x2_0000
const shareFiles = 0x200

/** What escapes from containers have been made of. With arguments that do no harm where the call is there. */
const calls: readonly Call[] = [
  call('mount', 165, 40, 'page', 'page', 'page', 0, 0),
  call('umount2', 166, 39, 'page', 0),
  call('pivot_root', 155, 41, 'page', 'page'),
  call('chroot', 161, 51, 'page'),
  call('open_tree', 428, 428, -1, 'page', 0),
  call('move_mount', 429, 429, -1, 'page', -1, 'page', 0),
  call('fsopen', 430, 430, 'page', 0),
  call('mount_setattr', 442, 442, -1, 'page', 0, 'page', 32),
  call('unshare, a new user namespace', 272, 97, newUser),
  call('unshare, a new mount namespace', 272, 97, newMount),
  // The kernel refuses this pair of flags, so that nothing is made even where the filter is gone.
  call('clone, a new user namespace', 56, 220, newUser + shareFiles, 0),
  call('clone3', 435, 435, 'page', 0),
  call('setns', 308, 268, -1, 0),
  call('ptrace', 101, 117, 16, 0, 0, 0),
  call('process_vm_readv', 310, 270, 0, 'page', 1, 'page', 1, 0),
  call('process_vm_writev', 311, 271, 0, 'page', 1, 'page', 1, 0),
  call('pidfd_getfd', 438, 438, -1, 0, 0),
  call('keyctl', 250, 219, 0, -3, 0),
  call('add_key', 248, 217, 'page', 'page', 0, 0, -3),
  call('request_key', 249, 218, 'page', 'page', 0, 0),
  call('bpf', 321, 280, 0, 'page', 0),
  call('perf_event_open', 298, 241, 'page', 0, -1, -1, 0),
  call('userfaultfd', 323, 282, 1),
  call('io_uring_setup', 425, 425, 0, 'page'),
  call('io_uring_enter', 426, 426, -1, 0, 0, 0, 0, 0),
  call('io_uring_register', 427, 427, -1, 0, 0, 0),
  call('io_setup', 206, 0, 0, 'page'),
  call('splice', 275, 76, -1, 0, -1, 0, 1, 0),
  call('vmsplice', 278, 75, -1, 'page', 0, 0),
  call('name_to_handle_at', 303, 264, -1, 'page', 'page', 'page', 0),
  call('open_by_handle_at', 304, 265, -1, 'page', 0),
  call('init_module', 175, 105, 'page', 0, 'page'),
  call('finit_module', 313, 273, -1, 'page', 0),
  call('delete_module', 176, 106, 'page', 0),
  call('reboot', 169, 142, 0, 0, 0, 0),
  call('swapon', 167, 224, 'page', 0),
  call('settimeofday', 164, 170, 'page', 0),
  call('syslog', 103, 116, 10, 0, 0),
  call('fanotify_init', 300, 262, 0, 0),
  call('personality', 135, 92, 0xffff_ffff),
  socket('a VSOCK socket, to the hypervisor', 40, 1, 0),
  socket('an AF_ALG socket, to the kernel’s cryptography', 38, 5, 0),
  socket('a packet socket', 17, 3, 0),
  socket('a raw IPv4 socket', 2, 3, 1),
  socket('a raw IPv6 socket', 10, 3, 58),
  socket('an SCTP socket', 2, 1, 132),
  socket('a netfilter socket', 16, 3, 12),
  socket('a Bluetooth socket', 31, 3, 0),
  socket('an RDS socket', 21, 5, 0),
  socket('a TIPC socket', 30, 1, 0),
  socket('an AF_XDP socket', 44, 3, 0),
]
/** Kernels are built without these too. */
const mayBeAbsent = ['init_module', 'finit_module', 'delete_module']
/** These are there, so that the probe itself is seen to work. */
const ordinary: readonly Call[] = [call('getpid', 39, 172), socket('a TCP socket', 2, 1, 0)]

const attack = (user: 'app' | 'root') => spec({ id: 'probe', user, script: probeScript([...calls, ...ordinary]) })

for (const user of ['app', 'root'] as const)
  test(`no system call that escapes are made of is there for the user ${user}`, async () => {
    const { said } = await runPayload(cage.client, attack(user))
    const answers = answersOf(said)
    assert.equal(answers.length, calls.length + ordinary.length, said)
    const there = calls.filter((_, index) => answers[index] !== ENOSYS).map(({ name }) => name)
    assert.deepEqual(there, [])
    assert.ok(answers.slice(calls.length).every((answer) => answer > 0n))
  })

test('control: without the filter the kernel has every one of them', async () => {
  const { said } = await runWeakened(cage, { spec: attack('app'), weakness: { gone: 'seccomp' } })
  const answers = answersOf(said)
  assert.equal(answers.length, calls.length + ordinary.length, said)
  const missing = calls.filter((_, index) => answers[index] === ENOSYS).map(({ name }) => name)
  assert.deepEqual(
    missing.filter((name) => !mayBeAbsent.includes(name)),
    [],
  )
})
