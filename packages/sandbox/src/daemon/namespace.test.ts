import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'node:test'
import { mountNamespace } from './namespace.ts'

const main = fileURLToPath(new URL('main.ts', import.meta.url))

/** A daemon that is told to take down its root as if it were inside its namespace already. */
function destroyInside(root: string, enter: readonly string[]): string {
  const options = ['--root', root, '--uid', '0', '--gid', '0', '--destroy', '--inside', mountNamespace()]
  const { status, stderr } = spawnSync('env', [...enter, process.execPath, main, ...options], { encoding: 'utf8' })
  assert.notEqual(status, 0)
  return stderr
}

test("sandboxd mounts and unmounts nothing in the machine's own namespace, nor in one that shares its mounts", (t) => {
  const root = mkdtempSync('/var/tmp/perennial-apart-')
  t.after(() => rmSync(root, { recursive: true }))
  assert.match(destroyInside(root, []), /a mount namespace of its own/)
  assert.match(destroyInside(root, ['unshare', '--mount', '--propagation', 'shared']), /shared with the machine/)
})
