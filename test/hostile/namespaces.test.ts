import { after, before } from 'node:test'
import { call, testCalls } from './lab/calls.ts'
import type { Kept } from './lab/calls.ts'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'

/**
 * Who makes a user namespace is root in it, and may then do there what no ordinary user may: most holes of the last
 * years were reached that way.
 */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const flags = {
  user: 0x1000_0000,
  mount: 0x2_0000,
  network: 0x4000_0000,
  process: 0x2000_0000,
  'control group': 0x200_0000,
  name: 0x400_0000,
  'shared memory': 0x800_0000,
}
/** A thread without its process's signals: the kernel refuses to clone that, so none is made even without the filter. */
const impossible = 0x1_0000
const clone = { x64: 56, arm64: 220 }
const unshare = { x64: 272, arm64: 97 }

const calls: readonly Kept[] = [
  ...Object.entries(flags).flatMap(([name, flag]) => [
    call({ name: `unshare, a new ${name} namespace`, number: unshare, without: 'works' }, flag),
    call({ name: `clone, a new ${name} namespace`, number: clone }, flag + impossible, 0),
  ]),
  call({ name: 'unshare, a new time namespace', number: unshare }, 0x80),
  // The kernel reads the lower half alone: what the upper one holds must not matter.
  call({ name: 'unshare, with the upper half set', number: unshare }, 2 ** 40 + flags.user),
  call({ name: 'clone, with the upper half set', number: clone }, 2 ** 40 + flags.user + impossible, 0),
  call({ name: 'clone3', number: { x64: 435, arm64: 435 } }, 'page', 0),
  call({ name: 'setns', number: { x64: 308, arm64: 268 } }, -1, 0),
]

testCalls(() => cage, { what: 'another namespace', calls })
