import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { inspect } from 'node:util'
import { openKeys } from './keys.ts'

test('a node has the same name after every start', async () => {
  using folder = temporary()
  const first = await openKeys(folder.path)
  const second = await openKeys(folder.path)
  assert.equal(first.node.did, second.node.did)
  assert.deepEqual(first.session.reveal(), second.session.reveal())
})

test('starters at the same time agree on one key', async () => {
  using folder = temporary()
  const all = await Promise.all(Array.from({ length: 8 }, () => openKeys(folder.path)))
  assert.equal(new Set(all.map((keys) => keys.node.did)).size, 1)
  assert.deepEqual(readdirSync(folder.path).toSorted(), ['config', 'node', 'session'])
})

test('key files are for their owner alone, and one that others can read is refused', async () => {
  using folder = temporary()
  await openKeys(folder.path)
  for (const name of ['config', 'node', 'session']) assert.equal(statSync(join(folder.path, name)).mode & 0o777, 0o600)
  chmodSync(join(folder.path, 'node'), 0o644)
  await assert.rejects(openKeys(folder.path), /node can be read by others.*chmod 600/)
})

test('a session key does not show when it is printed', async () => {
  using folder = temporary()
  const { session } = await openKeys(folder.path)
  assert.equal(JSON.stringify({ session }) + inspect(session), '{"session":"***"}***')
})

function temporary(): { path: string } & Disposable {
  const path = mkdtempSync('/tmp/perennial-keys-')
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}
