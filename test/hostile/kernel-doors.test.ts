import { after, before } from 'node:test'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { call, testCalls } from './lab/calls.ts'

/**
 * Interfaces of the kernel that are programs of their own: io_uring makes calls that no filter sees, bpf runs code in
 * the kernel, userfaultfd stops it wherever one likes, perf and ptrace look into others.
 */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

testCalls(() => cage, {
  what: 'io_uring, bpf, userfaultfd, perf or ptrace',
  calls: [
    call({ name: 'io_uring_setup', number: { x64: 425, arm64: 425 }, without: 'works' }, 1, 'page'),
    call({ name: 'io_uring_enter', number: { x64: 426, arm64: 426 } }, -1, 0, 0, 0, 0, 0),
    call({ name: 'io_uring_register', number: { x64: 427, arm64: 427 } }, -1, 0, 0, 0),
    call({ name: 'io_setup', number: { x64: 206, arm64: 0 } }, 0, 'page'),
    call({ name: 'bpf', number: { x64: 321, arm64: 280 } }, 0, 'page', 0),
    call({ name: 'userfaultfd', number: { x64: 323, arm64: 282 }, without: 'works' }, 1),
    call({ name: 'perf_event_open', number: { x64: 298, arm64: 241 } }, 'page', 0, -1, -1, 0),
    call({ name: 'ptrace, attach', number: { x64: 101, arm64: 117 } }, 16, 0, 0, 0),
    call({ name: 'ptrace, be traced', number: { x64: 101, arm64: 117 }, without: 'works' }, 0, 0, 0, 0),
    call({ name: 'process_vm_readv', number: { x64: 310, arm64: 270 } }, 0, 'page', 1, 'page', 1, 0),
    call({ name: 'process_vm_writev', number: { x64: 311, arm64: 271 } }, 0, 'page', 1, 'page', 1, 0),
    call({ name: 'process_madvise', number: { x64: 440, arm64: 440 } }, -1, 'page', 0, 0, 0),
    call({ name: 'pidfd_getfd', number: { x64: 438, arm64: 438 } }, -1, 0, 0),
    call({ name: 'kcmp', number: { x64: 312, arm64: 272 }, without: 'may be absent' }, 0, 0, 0, 0, 0),
    call({ name: 'seccomp, a filter of one’s own', number: { x64: 317, arm64: 277 } }, 1, 0, 'page'),
    call({ name: 'prctl, a filter of one’s own', number: { x64: 157, arm64: 167 } }, 22, 2, 'page', 0, 0),
    call({ name: 'prctl, that with the upper half set', number: { x64: 157, arm64: 167 } }, 2 ** 32 + 22, 2, 'page'),
    call({ name: 'setsockopt, a filter', number: { x64: 54, arm64: 208 } }, -1, 1, 26, 'page', 16),
    call(
      { name: 'setsockopt, that with the upper half set', number: { x64: 54, arm64: 208 } },
      -1,
      2 ** 32 + 1,
      26,
      'page',
      16,
    ),
    call({ name: 'modify_ldt', number: { x64: 154, arm64: 1000 }, without: 'may be absent' }, 0, 'page', 0),
    call({ name: 'memfd_secret', number: { x64: 447, arm64: 447 }, without: 'may be absent' }, 0),
  ],
})
