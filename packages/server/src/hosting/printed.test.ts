import assert from 'node:assert/strict'
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import test from 'node:test'
import fc from 'fast-check'
import { openApps, openLogs } from '../apps/index.ts'
import { systemClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import type { Transaction } from '../database.ts'
import { openDiagnostics } from '../diagnostics.ts'
import { openEvents } from '../events.ts'
import { openJobs } from '../jobs.ts'
import { serverDatabase } from '../testing.ts'
import { parseRecord, type LogPlace } from '../output.ts'
import { openPrinted } from './printed.ts'

const scale = Number(process.env['TEST_SCALE'] ?? 1)
const line = (text: string, { stream = 'stdout', tag = 'F' } = {}) =>
  `2026-11-21T08:40:02.123456789+00:00 ${stream} ${tag} ${text}\n`

test('what an app prints arrives once and in order, however often the node is killed', async () => {
  await using log = await openTestLog()
  const expected: string[] = []
  for (let turn = 0; turn < 30 * scale; turn++) {
    const texts = Array.from({ length: Math.floor(Math.random() * 20) }, (_, index) => `${turn}.${index} same`)
    expected.push(...texts)
    await log.print(texts.map((text) => line(text)).join(''))
    // Killed before it carried, between storing and going on, or not at all.
    const kill = turn % 3
    if (kill !== 0) await log.carry({ killed: kill === 1 })
    if (kill !== 2) await log.restart()
  }
  await log.carry()
  assert.deepEqual(await log.texts(), expected)
})

test('the same line a thousand times is a thousand lines, also after a kill', async () => {
  await using log = await openTestLog()
  await log.print(line('again').repeat(700))
  await log.carry()
  await log.restart()
  await log.print(line('again').repeat(300))
  await log.carry()
  assert.equal((await log.texts()).length, 1000)
})

test('a full log that starts over loses nothing that was still in it', async () => {
  await using log = await openTestLog()
  await log.print(line('one'))
  await log.carry()
  await log.print(line('two'))
  await log.startOver()
  await log.print(line('three'))
  await log.carry()
  await log.restart()
  await log.startOver()
  await log.print(line('four'))
  await log.carry()
  assert.deepEqual(await log.texts(), ['one', 'two', 'three', 'four'])
})

test('a line in parts is one line, and last words without an end count', async () => {
  await using log = await openTestLog()
  await log.print(line('a long', { tag: 'P' }))
  await log.carry()
  await log.restart()
  await log.print(
    line(' line') + line('asked:', { tag: 'P' }) + line('trouble', { stream: 'stderr' }) + line('fat', { tag: 'P' }),
  )
  await log.carry()
  assert.deepEqual(await log.texts(), ['a long line', 'asked:', 'trouble'])
  await log.print(line('al', { tag: 'P' }))
  await log.finish()
  assert.deepEqual(await log.texts(), ['a long line', 'asked:', 'trouble', 'fatal'])
})

test('a letter that the log cut in two is one letter', async () => {
  await using log = await openTestLog()
  const [before, after] = ['gr\xc3', '\xbc\xc3\x9fe']
  await log.print(line(before, { tag: 'P' }) + line(after))
  await log.carry()
  assert.deepEqual(await log.texts(), ['grüße'])
})

test('what was read and could not be stored is read again', async () => {
  await using log = await openTestLog()
  await log.print(line('one'))
  await log.carry()
  await log.print(line('two') + line('thr', { tag: 'P' }))
  await assert.rejects(log.carry({ refused: true }), /the log is away/)
  await log.print(line('ee'))
  await log.carry()
  assert.deepEqual(await log.texts(), ['one', 'two', 'three'])
})

test('a line that never ends is cut, and stored while it goes on', async () => {
  await using log = await openTestLog()
  for (let part = 0; part < 20; part++) await log.print(line('x'.repeat(8000), { tag: 'P' }))
  await log.carry()
  assert.equal((await log.texts()).length, 2)
})

test('bytes that are no log line are passed over, and never an error', async () => {
  await using log = await openTestLog()
  await log.print(`garbage\n\n${line('fine')}2026-99-99T00:00:00Z stdout F no\n\xff\xfe\n${line('also')}`)
  await log.carry()
  assert.deepEqual(await log.texts(), ['fine', 'also'])
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const parsed = parseRecord(Buffer.from(bytes))
      assert.ok(parsed === null || !Number.isNaN(parsed.at.getTime()))
    }),
    { numRuns: 500 * scale },
  )
})

async function openTestLog() {
  const store = await serverDatabase()
  const { database } = store
  const folder = await mkdtemp('/tmp/perennial-printed-')
  const path = `${folder}/app.log`
  await writeFile(path, '')
  const diagnostics = openDiagnostics({ level: 'error' })
  const clock = systemClock
  const jobs = openJobs({ database, clock, diagnostics, owner: 'test' })
  const services = { config: readConfig({}), database, clock, diagnostics, jobs, events: openEvents({ jobs, clock }) }
  const repository = { url: 'https://github.com/o/n', forge: 'github.com', owner: 'o', name: 'n', slug: 'n--o' }
  const app = await database.transaction((tx) => openApps(services).create(tx, repository, {}))
  const logs = openLogs({ ...services, clock: { ...clock, monotonicMs: eachAMinuteLater() } })
  await database.query('create table place (inode bigint, "offset" bigint)')
  const load = async () => (await database.query<LogPlace>('select inode, "offset" from place'))[0] ?? null
  const save = async (tx: Transaction, place: LogPlace) => {
    await tx.query('delete from place')
    await tx.query('insert into place values ($1, $2)', [place.inode, place.offset])
  }
  let printed: ReturnType<typeof openPrinted> | null = null
  let away = false
  const append: typeof logs.append = (...given) => {
    if (away) return Promise.reject(new Error('the log is away'))
    return logs.append(...given)
  }
  const open = async () =>
    (printed ??= openPrinted({ append }, { app: app.id, process: 'web', path, place: await load(), save }))
  return {
    print: (text: string) => appendFile(path, text, 'latin1'),
    async startOver() {
      await writeFile(`${path}.tmp`, '')
      await rename(`${path}.tmp`, path)
    },
    /** `killed`: the lines were read, and the transaction that stores them never ended. */
    async carry({ killed = false, refused = false } = {}) {
      away = refused
      if (!killed) return (await open()).carry()
      const never = { append: async () => Promise.reject(new Error('killed')) }
      const doomed = openPrinted(never, { app: app.id, process: 'web', path, place: await load(), save })
      await doomed.carry().catch(() => undefined)
      await doomed.close()
    },
    finish: async () => (await open()).finish(),
    async restart() {
      await printed?.close()
      printed = null
    },
    texts: async () => (await logs.tail({ app: app.id, limit: 20_000 })).map(({ text }) => text),
    async [Symbol.asyncDispose]() {
      await printed?.close()
      await logs.close()
      await store[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

/** The log's budget is not what is tested here. */
function eachAMinuteLater(): () => number {
  let nowMs = 0
  return () => (nowMs += 60_000)
}
