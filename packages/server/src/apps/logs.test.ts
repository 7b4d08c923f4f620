import assert from 'node:assert/strict'
import test from 'node:test'
import { newId } from '@perennial/protocol'
import { FakeClock } from '../clock.ts'
import { openDiagnostics } from '../diagnostics.ts'
import { serverDatabase } from '../testing.ts'
import { LONGEST_LINE_BYTES, openLogs, RING_LINES, type LogLine, type Logs } from './logs.ts'
import { visible } from './visible.ts'

const diagnostics = openDiagnostics({ level: 'error' })

interface Bench {
  readonly logs: Logs
  readonly clock: FakeClock
  readonly app: string
  query: (text: string) => Promise<unknown[]>
}

async function withLogs(work: (bench: Bench) => Promise<void>): Promise<void> {
  await using served = await serverDatabase()
  const clock = new FakeClock()
  const logs = openLogs({ database: served.database, clock, diagnostics })
  const app = newId()
  await served.database.query(
    `insert into app (id, slug, url, forge, owner, name, created_at, state, state_since)
     values ($1, 'hello--octo', 'https://forge.example/octo/hello', 'forge.example', 'octo', 'hello', now(), 'frozen', now())`,
    [app],
  )
  try {
    await work({ logs, clock, app, query: (text) => served.database.query(text) })
  } finally {
    await logs.close()
  }
}

const texts = (lines: readonly LogLine[]) => lines.map((line) => line.text)

test('lines come back in the order in which they were printed, numbered from 1', () =>
  withLogs(async ({ logs, app }) => {
    await logs.append(app, 'build', ['npm ci', { text: 'added 3 packages', level: 'ok' }])
    await Promise.all(['a', 'b', 'c'].map((text) => logs.append(app, 'web', [text])))
    const lines = await logs.tail({ app })
    assert.deepEqual(texts(lines), ['npm ci', 'added 3 packages', 'a', 'b', 'c'])
    assert.deepEqual(
      lines.map((line) => Number(line.seq)),
      [1, 2, 3, 4, 5],
    )
    assert.deepEqual(texts(await logs.tail({ app, after: 3n, limit: 1 })), ['b'])
    assert.deepEqual(texts(await logs.tail({ app, limit: 2 })), ['b', 'c'])
    assert.deepEqual(texts(await logs.tail({ app, source: 'build' })), ['npm ci', 'added 3 packages'])
  }))

test('an app that prints too fast loses lines, and the log says how many', () =>
  withLogs(async ({ logs, clock, app }) => {
    const line = 'x'.repeat(1024)
    await logs.append(
      app,
      'web',
      Array.from({ length: 300 }, () => line),
    )
    const stored = (await logs.tail({ app, limit: 1000 })).length
    assert.equal(stored, 256, 'four seconds of the budget at once')
    await clock.advance(1000)
    await logs.append(app, 'web', ['after'])
    const last = texts(await logs.tail({ app, limit: 2 }))
    assert.deepEqual(last, ['44 lines dropped: more than 64 KiB a second', 'after'])
  }))

test('a line of megabytes is cut and says so; a NUL does not stop the log', () =>
  withLogs(async ({ logs, app }) => {
    await logs.append(app, 'web', ['é'.repeat(100_000), 'a\0b'])
    const [long, nul] = await logs.tail({ app })
    assert.ok(Buffer.byteLength(long!.text) <= LONGEST_LINE_BYTES)
    assert.match(long!.text, /é … \(200000 bytes, cut\)$/)
    assert.equal(nul!.text, 'a\\x00b')
  }))

test('a follower gets every line from where it was, live, until it stops', () =>
  withLogs(async ({ logs, app }) => {
    await logs.append(app, 'web', ['one', 'two'])
    const stop = new AbortController()
    const seen: string[] = []
    const following = (async () => {
      for await (const line of logs.follow(app, stop.signal, { after: 1n })) {
        seen.push(line.text)
        if (line.text === 'last') stop.abort()
      }
    })()
    for (let i = 0; i < 30; i++) await logs.append(app, 'web', [`line ${i}`])
    await logs.append(app, 'web', ['last'])
    await following
    assert.deepEqual(seen, ['two', ...Array.from({ length: 30 }, (_, i) => `line ${i}`), 'last'])
  }))

test('the ring keeps the newest lines, and a slow follower learns what it missed', () =>
  withLogs(async ({ logs, app, query }) => {
    await logs.append(app, 'web', ['first'])
    await query(`update log_head set next = ${RING_LINES + 5001}; update log_line set seq = 1`)
    await logs.append(
      app,
      'web',
      Array.from({ length: 1000 }, (_, i) => `new ${i}`),
    )
    const stop = new AbortController()
    for await (const line of logs.follow(app, stop.signal, { after: 1n })) {
      assert.equal(line.text, `${RING_LINES + 4999} lines are gone: the log keeps the last ${RING_LINES}`)
      stop.abort()
    }
  }))

test('what a program prints cannot move a cursor or turn text around on a page', () => {
  assert.equal(visible('\u001b[31mred\u001b[0m\ttab'), 'red\ttab')
  assert.equal(visible('a\u001b]0;title\u0007b\rc\r'), 'a\\x1b]0;title\\x07b\\x0dc')
  assert.equal(visible('user\u202egnp.exe'), 'user\\u202egnp.exe')
})
