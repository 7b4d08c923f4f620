import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { maxLineBytes } from '../client/index.ts'
import { openTestSandbox, spec } from '../testing.ts'

const nobody = 65_534
const sandbox = await openTestSandbox({ uid: nobody, gid: nobody })
const { client, daemon } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

/** Sends bytes and answers all that came back before the daemon or we closed. */
function send(bytes: string | Buffer, waitMs = 200): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(daemon.socket, () => {
      socket.write(bytes)
      setTimeout(() => socket.end(), waitMs)
    })
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    socket.on('close', () => resolve(text))
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EPIPE' || error.code === 'ECONNRESET' ? resolve(text) : reject(error),
    )
  })
}

const connectAs = (uid: number) =>
  execFileSync(
    'setpriv',
    [
      `--reuid=${uid}`,
      '--clear-groups',
      '/bin/bash',
      '-c',
      `perl -MIO::Socket::UNIX -e 'exit(IO::Socket::UNIX->new("${daemon.socket}") ? 0 : 3)' && echo connected || echo refused`,
    ],
    { encoding: 'utf8' },
  ).trim()

test('only the user it was started for may connect', () => {
  assert.equal(connectAs(nobody), 'connected')
  assert.equal(connectAs(1), 'refused')
  const { mode, uid } = statSync(daemon.socket)
  assert.deepEqual([mode & 0o777, uid], [0o600, nobody])
  // What the node's user may not change, since root works there.
  const { root } = sandbox.options
  assert.deepEqual([statSync(root).uid, statSync(root).mode & 0o022], [0, 0])
})

test('nonsense gets an answer that says so, and the next request is served', async () => {
  const lines = [
    '',
    '{',
    'null',
    '[]',
    '7',
    '{"id":"x"}',
    '{"id":1}',
    '{"id":1,"verb":"constructor"}',
    '{"id":1,"verb":"start"}',
  ]
  const answers = (await send(`${lines.join('\n')}\n{"id":9,"verb":"list","input":{}}\n`)).trim().split('\n')
  assert.equal(answers.length, lines.length + 1)
  const parsed = answers.map((line) => JSON.parse(line) as { id: number; error?: { code: string } })
  for (const { id, error } of parsed) assert.equal(error?.code, id === 9 ? undefined : 'invalid')
})

test('a line that is too long closes the connection, and only that one', async () => {
  assert.equal(await send(Buffer.alloc(maxLineBytes + 10, 'x')), '')
  assert.equal(await send(`${'x'.repeat(maxLineBytes + 10)}\n`), '')
  assert.deepEqual(await client.list(), [])
})

test('random bytes and broken requests never end the daemon or start anything', async () => {
  const words = fc.constantFrom(
    '{',
    '}',
    '"id":1',
    '"verb":"start"',
    '"input":',
    '\n',
    ',',
    'null',
    '"../../etc"',
    '\0',
    '[[[[',
  )
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
    fc.array(words, { maxLength: 30 }).map((parts) => Buffer.from(parts.join(''))),
    fc.json().map((text) => Buffer.from(`{"id":1,"verb":"start","input":${text}}\n`)),
    fc
      .record({
        id: fc.integer(),
        verb: fc.constantFrom('start', 'stop', 'pack', 'scratch', 'remove'),
        input: fc.anything(),
      })
      .map((request) => Buffer.from(`${safeJson(request)}\n`)),
  )
  const runs = { numRuns: 100 * Number(process.env['TEST_SCALE'] ?? 1) }
  await fc.assert(
    fc.asyncProperty(noise, async (bytes) => void (await send(bytes, 5))),
    runs,
  )
  assert.deepEqual(await client.list(), [])
  assert.equal(daemon.process.exitCode, null)
})

function safeJson(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each)) ?? 'null'
}

test('a door must be at the address that the daemon gave the host', async () => {
  const doors = [{ address: '192.168.0.1', port: 22 }]
  await assert.rejects(client.start(spec({ id: 'a', argv: ['true'], network: { doors } })), { code: 'invalid' })
})
