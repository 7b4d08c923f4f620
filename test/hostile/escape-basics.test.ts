import { after, before } from 'node:test'
import { call, testCalls } from './lab/calls.ts'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'

/** What escapes from containers have been made of: mounts, handles of files, modules, pages of others. */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

testCalls(() => cage, {
  what: 'what escapes are made of',
  calls: [
    call({ name: 'mount', number: { x64: 165, arm64: 40 } }, 'page', 'page', 'page', 0, 0),
    call({ name: 'umount2', number: { x64: 166, arm64: 39 } }, 'page', 0),
    call({ name: 'pivot_root', number: { x64: 155, arm64: 41 } }, 'page', 'page'),
    call({ name: 'chroot', number: { x64: 161, arm64: 51 } }, 'page'),
    call({ name: 'open_tree', number: { x64: 428, arm64: 428 } }, -1, 'page', 0),
    call({ name: 'move_mount', number: { x64: 429, arm64: 429 } }, -1, 'page', -1, 'page', 0),
    call({ name: 'fsopen', number: { x64: 430, arm64: 430 } }, 'page', 0),
    call({ name: 'fsconfig', number: { x64: 431, arm64: 431 } }, -1, 0, 'page', 'page', 0),
    call({ name: 'fsmount', number: { x64: 432, arm64: 432 } }, -1, 0, 0),
    call({ name: 'fspick', number: { x64: 433, arm64: 433 } }, -1, 'page', 0),
    call({ name: 'mount_setattr', number: { x64: 442, arm64: 442 } }, -1, 'page', 0, 'page', 32),
    call({ name: 'quotactl', number: { x64: 179, arm64: 60 }, without: 'may be absent' }, 0, 'page', 0, 'page'),
    call({ name: 'swapon', number: { x64: 167, arm64: 224 } }, 'page', 0),
    call({ name: 'acct', number: { x64: 163, arm64: 89 }, without: 'may be absent' }, 0),
    call({ name: 'splice', number: { x64: 275, arm64: 76 } }, -1, 0, -1, 0, 1, 0),
    call({ name: 'vmsplice', number: { x64: 278, arm64: 75 } }, -1, 'page', 0, 0),
    call({ name: 'tee', number: { x64: 276, arm64: 77 } }, -1, -1, 1, 0),
    call({ name: 'name_to_handle_at', number: { x64: 303, arm64: 264 } }, -1, 'page', 'page', 'page', 0),
    call({ name: 'open_by_handle_at', number: { x64: 304, arm64: 265 } }, -1, 'page', 0),
    call({ name: 'init_module', number: { x64: 175, arm64: 105 }, without: 'may be absent' }, 'page', 0, 'page'),
    call({ name: 'finit_module', number: { x64: 313, arm64: 273 }, without: 'may be absent' }, -1, 'page', 0),
    call({ name: 'delete_module', number: { x64: 176, arm64: 106 }, without: 'may be absent' }, 'page', 0),
    call({ name: 'kexec_load', number: { x64: 246, arm64: 104 }, without: 'may be absent' }, 0, 0, 'page', 0),
    call({ name: 'reboot', number: { x64: 169, arm64: 142 } }, 0, 0, 0, 0),
    call({ name: 'syslog', number: { x64: 103, arm64: 116 } }, 10, 0, 0),
    call({ name: 'fanotify_init', number: { x64: 300, arm64: 262 }, without: 'may be absent' }, 0, 0),
    call({ name: 'personality', number: { x64: 135, arm64: 92 }, without: 'works' }, 0xffff_ffff),
    call({ name: 'move_pages', number: { x64: 279, arm64: 239 }, without: 'may be absent' }, 0, 0, 'page', 0, 0, 0),
  ],
})
