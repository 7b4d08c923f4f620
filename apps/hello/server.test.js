import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { fileURLToPath } from 'node:url'

test('hello counts its visitors, says what it does, and ends when told to', async () => {
  const server = spawn(process.execPath, [fileURLToPath(new URL('server.js', import.meta.url))], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface(server.stdout)
  const [first] = await once(lines, 'line')
  const origin = `http://127.0.0.1:${/\d+/.exec(first)?.[0]}`
  assert.equal(await (await fetch(`${origin}/health`)).text(), 'ok\n')
  assert.match(await (await fetch(origin)).text(), /visitor <output>1</)
  await fetch(origin)
  assert.equal(await (await fetch(`${origin}/count`)).text(), '2\n')
  assert.equal((await fetch(`${origin}/nothing`)).status, 404)
  server.kill('SIGTERM')
  const [code] = await once(server, 'exit')
  assert.equal(code, 0)
})
