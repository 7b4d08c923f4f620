import assert from 'node:assert/strict'
import { arch } from 'node:os'
import test, { after, before } from 'node:test'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { runPayload, spec } from './lab/payload.ts'
import { answersOf, probeScript } from './lab/probe.ts'
import type { Call } from './lab/probe.ts'
import { runWeakened } from './lab/weaken.ts'

/**
 * The kernel may be called as a 32-bit program calls it, and as a third kind that hardly anybody uses. There the same
 * numbers mean other calls: a filter that reads numbers alone would let `mount` pass as something harmless.
 */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const foreign: Record<string, Call> =
  arch() === 'x64'
    ? {
        'of 32 bits': { name: 'getpid', number: { x64: 20, arm64: 20 }, arguments: [], as32Bit: true },
        'of the third kind': { name: 'getpid', number: { x64: 0x4000_0000 + 39, arm64: 0 }, arguments: [] },
      }
    : // 64-bit programs on this machine know one way alone.
      {}

/** `then` shows whether the program was still there after the call. */
const attack = (call: Call) => spec({ id: 'foreign', script: `${probeScript([call])}; echo "then $?"` })

for (const [name, call] of Object.entries(foreign))
  test(`a program that makes a call ${name} is ended by it`, async () => {
    const { said } = await runPayload(cage.client, attack(call))
    assert.deepEqual(answersOf(said), [], said)
    assert.match(said, /Bad system call/)
  })

test('control: without the filter the kernel answers such calls', async () => {
  for (const call of Object.values(foreign)) {
    const { said } = await runWeakened(cage, { spec: attack(call), weakness: { gone: 'seccomp' } })
    assert.equal(answersOf(said).length, 1, said)
  }
})
