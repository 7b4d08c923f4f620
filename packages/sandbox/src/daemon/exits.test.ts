import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exitOf } from './exits.ts'

const memoryBytes = 256 * 2 ** 20

test('how a sandbox ended is said in words', () => {
  const sentences = [
    [0, 0, 'exited with code 0'],
    [1, 3, 'exited with code 1'],
    [137, 0, 'was ended by SIGKILL'],
    [137, 1, 'was ended because it used more than its 256 MiB of memory'],
    [143, 0, 'was ended by SIGTERM'],
    [134, 0, 'aborted itself (SIGABRT), as Node does when its heap is full'],
    [255, 0, 'exited with code 255'],
  ] as const
  for (const [code, oomKills, sentence] of sentences)
    assert.equal(exitOf({ code, oomKills, memoryBytes, wasFull: true }).sentence, sentence)
  const forAll = exitOf({ code: 137, oomKills: 1, memoryBytes, wasFull: false })
  assert.match(forAll.sentence, /because all sandboxes together used more memory than this machine has for them/)
})
