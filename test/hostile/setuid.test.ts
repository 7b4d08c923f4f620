import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import type { SandboxSpec } from '../../packages/sandbox/src/client/index.ts'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { mebibyte, runPayload, spec } from './lab/payload.ts'
import { answersOf, probeScript } from './lab/probe.ts'
import { runWeakened } from './lab/weaken.ts'

/** A program on a disk that gives whoever runs it the powers of its owner, or powers that stand in the file itself. */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const whoAmI = { name: 'geteuid', number: { x64: 107, arm64: 175 }, arguments: [] }
const make = (more: string) => `${probeScript([whoAmI])} > /dev/null; cp /tmp/probe /app/probe; ${more}`
const run = spec({ id: 'runs', scratch: 'shared', script: '/app/probe | hexdump -v -e \'8/1 "%02x" "\\n"\'' })

/** Root of one sandbox leaves the program on a disk that the next one takes over. */
async function withProgram<T>(more: string, use: (said: string) => Promise<T>): Promise<T> {
  await cage.client.scratch({ id: 'shared', sizeBytes: 16 * mebibyte })
  try {
    const maker: SandboxSpec = spec({
      id: 'makes',
      user: 'root',
      scratch: 'shared',
      image: 'python',
      script: make(more),
    })
    return await use((await runPayload(cage.client, maker)).said)
  } finally {
    await cage.client.removeScratch({ id: 'shared' })
  }
}

const setuid = 'chmod 6755 /app/probe && ls -l /app/probe'

test('a setuid program gives nobody another user', async () => {
  await withProgram(setuid, async (made) => {
    assert.match(made, /^-rws/m, 'it was made')
    const { said } = await runPayload(cage.client, run)
    assert.deepEqual(answersOf(said), [1000n])
  })
})

test('control: on a disk where setuid counts, it gives root', async () => {
  await withProgram(setuid, async () => {
    const { said } = await runWeakened(cage, { spec: run, weakness: { gone: 'powers by files' } })
    assert.deepEqual(answersOf(said), [0n])
  })
})

/** CAP_SYS_ADMIN and all others, permitted and effective. */
const powers = `python3 -c "
import os
try:
    os.setxattr('/app/probe', 'security.capability', bytes.fromhex('01000002ffffffffffffffffff010000ff010000'))
    print('powerful')
except OSError as error: print(error)"`

test('root of a sandbox gives a file no powers', async () => {
  await withProgram(powers, async (said) => assert.match(said, /Operation not permitted/))
})

test('control: root of a sandbox that has its powers does', async () => {
  await cage.client.scratch({ id: 'shared', sizeBytes: 16 * mebibyte })
  const maker = spec({ id: 'makes', user: 'root', scratch: 'shared', image: 'python', script: make(powers) })
  const { said } = await runWeakened(cage, { spec: maker, weakness: { gone: 'no capabilities' } })
  await cage.client.removeScratch({ id: 'shared' })
  assert.match(said, /powerful/)
})
