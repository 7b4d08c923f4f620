import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { takeLock } from './lock.ts'

test('a second one learns who has the lock, and has it after the first let go', async () => {
  using folder = temporary()
  const first = await takeLock(folder.path)
  assert.ok('release' in first)
  await first.note({ pid: 7, node: 'http://127.0.0.1:8080' })
  assert.deepEqual(await takeLock(folder.path), { heldBy: { pid: 7, node: 'http://127.0.0.1:8080' } })
  // A note that was cut short says nothing, and is no error.
  writeFileSync(`${folder.path}/up.json`, '{"pid":')
  assert.deepEqual(await takeLock(folder.path), { heldBy: {} })
  await first.release()
  const second = await takeLock(folder.path)
  assert.ok('release' in second)
  await second.release()
})

test('a killed holder holds nothing', async () => {
  using folder = temporary()
  const url = fileURLToPath(new URL('lock.ts', import.meta.url))
  const code = `const { takeLock } = await import(${JSON.stringify(url)}); await takeLock(${JSON.stringify(folder.path)}); console.log('held'); setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
  assert.ok('heldBy' in (await takeLock(folder.path)))
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  let lock = await takeLock(folder.path)
  // The kernel closes the pipe with the process; flock's child needs a moment to see it.
  for (let i = 0; i < 100 && 'heldBy' in lock; i++) lock = await takeLock(folder.path)
  assert.ok('release' in lock)
  await lock.release()
})

function temporary(): { path: string } & Disposable {
  const path = mkdtempSync('/tmp/perennial-lock-')
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}
