import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import test from 'node:test'
import { ask } from './probe.ts'

test('a sandbox daemon that says nothing, nonsense or is not there is a problem with words', async () => {
  const folder = mkdtempSync('/tmp/perennial-probe-')
  const socket = `${folder}/sandboxd.sock`
  let said = ''
  const server = createServer((peer) => void peer.on('data', () => peer.end(said)).on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  try {
    assert.match(problem(await ask(socket)), /closed the connection without an answer/)
    for (said of ['{"id":1,"res\n', 'null\n', '{"id":1,"result":{"isolation'])
      assert.match(problem(await ask(socket)), /in another language/)
    assert.match(problem(await ask(`${folder}/nothing.sock`)), /does not answer/)
  } finally {
    server.close()
    rmSync(folder, { recursive: true })
  }
})

test('an answer is read whole, in however many pieces it comes', async () => {
  const folder = mkdtempSync('/tmp/perennial-probe-')
  const socket = `${folder}/sandboxd.sock`
  const server = createServer((peer) => {
    peer.write('{"id":1,"result":{"isolation":"shared-kernel",')
    setTimeout(() => peer.write('"cgroup":"v2","capacity":7}}\n'), 100)
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  try {
    assert.deepEqual(await ask(socket), { isolation: 'shared-kernel', cgroup: 'v2', capacity: 7 })
  } finally {
    server.close()
    rmSync(folder, { recursive: true })
  }
})

function problem(answer: Awaited<ReturnType<typeof ask>>): string {
  return 'problem' in answer ? answer.problem : 'none'
}
