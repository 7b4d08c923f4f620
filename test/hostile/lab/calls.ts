/** System calls that a sandbox's filter keeps from it, and how a test shows that it does. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Cage } from './cage.ts'
import { runPayload, spec } from './payload.ts'
import { answersOf, probeScript } from './probe.ts'
import type { Argument, Call } from './probe.ts'
import { runWeakened } from './weaken.ts'

/** "There is no such call": what the filter answers before the kernel looks at the arguments. */
const ENOSYS = -38n

/** What is known of the call where there is no filter. */
type Without =
  /** It is there, and refuses these arguments or this user. */
  | 'there'
  /** An ordinary user gets what it is for. */
  | 'works'
  /** Kernels are built without it too. */
  | 'may be absent'

export interface Kept extends Call {
  readonly without: Without
}

interface Named {
  readonly name: string
  readonly number: Call['number']
  readonly without?: Without
}

/** With arguments that do no harm where the call is there. */
export function call({ name, number, without = 'there' }: Named, ...args: Argument[]): Kept {
  return { name, number, arguments: args, without }
}

export function socket(
  name: string,
  kind: { family: number; type: number; protocol?: number; without?: Without },
): Kept {
  const { family, type, protocol = 0, without = 'may be absent' } = kind
  return call({ name, number: { x64: 41, arm64: 198 }, without }, family, type, protocol)
}

/** These are there, so that the probe itself is seen to work. */
const ordinary: readonly Call[] = [
  { name: 'getpid', number: { x64: 39, arm64: 172 }, arguments: [] },
  { name: 'a TCP socket', number: { x64: 41, arm64: 198 }, arguments: [2, 1, 0] },
]

/** For both users of a sandbox: none of the calls is there. Control: without the filter they are. */
export function testCalls(cage: () => Cage, { what, calls }: { what: string; calls: readonly Kept[] }): void {
  const attack = (user: 'app' | 'root') => spec({ id: 'probe', user, script: probeScript([...calls, ...ordinary]) })

  for (const user of ['app', 'root'] as const)
    test(`${what}: nothing of it is there for the user ${user}`, async () => {
      const { said } = await runPayload(cage().client, attack(user))
      const answers = answersOf(said)
      assert.equal(answers.length, calls.length + ordinary.length, said)
      assert.deepEqual(
        names(calls, (_, at) => answers[at] !== ENOSYS),
        [],
      )
      assert.ok(answers.slice(calls.length).every((answer) => answer > 0n))
    })

  test(`control: without the filter, ${what} is there`, async () => {
    const { said } = await runWeakened(cage(), { spec: attack('app'), weakness: { gone: 'seccomp' } })
    const answers = answersOf(said)
    assert.equal(answers.length, calls.length + ordinary.length, said)
    assert.deepEqual(
      names(calls, ({ without }, at) => without === 'there' && answers[at] === ENOSYS),
      [],
    )
    assert.deepEqual(
      names(calls, ({ without }, at) => without === 'works' && (answers[at] ?? -1n) < 0n),
      [],
    )
    assert.ok(answers.slice(0, calls.length).some((answer) => answer !== ENOSYS))
  })
}

function names(calls: readonly Kept[], which: (call: Kept, at: number) => boolean): string[] {
  return calls.filter(which).map(({ name }) => name)
}
