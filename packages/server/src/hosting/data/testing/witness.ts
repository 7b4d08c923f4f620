/**
 * For tests: writes to an app as a client does, remembers what was acknowledged, and says what is missing.
 *
 * Write n is a file n of the volume and then a row n of the database, each acknowledged or not. Whatever was acknowledged
 * must be there; whatever is there must have been asked for; and no row is there without its file.
 */
import assert from 'node:assert/strict'
import type { App } from '../../../apps/index.ts'
import type { DataBench } from '../testing.ts'

export interface Kept {
  readonly files: ReadonlySet<number>
  readonly rows: ReadonlySet<number>
}

export interface Witness {
  /** Writes until `pause`. */
  resume(): void
  /** Nothing is under way afterwards. */
  pause(): Promise<void>
  /** What is there now, which must be what was acknowledged, and no more than was asked for. */
  check(): Promise<Kept>
  /** What was acknowledged by now, and what was asked for. */
  now(): { readonly acknowledged: Kept; readonly asked: Kept }
  /** From now on this is what was acknowledged. */
  begin(from: Kept): void
  /** This may be there, too. */
  allow(more: Kept): void
  readonly acknowledged: number
}

const SOON_MS = 10
const AGAIN_MS = 200

export async function openWitness({ ask, sql }: Pick<DataBench, 'ask' | 'sql'>, app: App): Promise<Witness> {
  let number = 0
  let asked = new Set<number>()
  let files = new Set<number>()
  let rows = new Set<number>()
  let writing = false
  let running: Promise<void> = Promise.resolve()
  let acknowledged = 0
  await sql(app, 'create table note (number int primary key)')

  const textOf = (n: number) => `text of write ${n}`

  /** Whether it was acknowledged. */
  const did = (work: Promise<unknown>): Promise<boolean> =>
    work.then(
      () => true,
      () => false,
    )

  async function write(): Promise<void> {
    const n = ++number
    asked.add(n)
    if (!(await did(ask(app, '/put', { name: String(n), text: textOf(n) })))) return pause(AGAIN_MS)
    files.add(n)
    if (!(await did(sql(app, `insert into note values (${n})`)))) return pause(AGAIN_MS)
    rows.add(n)
    acknowledged++
    await pause(SOON_MS)
  }

  /** An app that is just starting says so; it is asked until it answers. */
  async function look(): Promise<Kept> {
    for (let tries = 0; ; tries++) {
      try {
        const all = Object.entries(JSON.parse(await ask(app, '/all')) as Record<string, string>)
        for (const [name, text] of all) assert.ok(textOf(Number(name)).startsWith(text), `file ${name}: ${text}`)
        // A write that was cut off before it was acknowledged may have left a beginning.
        const whole = all.filter(([name, text]) => text === textOf(Number(name))).map(([name]) => Number(name))
        const numbers = (await sql(app, 'select number from note')).map(([n]) => Number(n))
        return { files: new Set(whole), rows: new Set(numbers) }
      } catch (error) {
        if (error instanceof assert.AssertionError || tries === 150) throw error
        await pause(AGAIN_MS)
      }
    }
  }

  return {
    get acknowledged() {
      return acknowledged
    },
    resume() {
      if (writing) return
      writing = true
      running = (async () => {
        while (writing) await write()
      })()
    },
    async pause() {
      writing = false
      await running
    },
    async check() {
      const now = await look()
      assert.deepEqual([...files].filter((n) => !now.files.has(n)), [], 'files that were acknowledged are there') // prettier-ignore
      assert.deepEqual(
        [...rows].filter((n) => !now.rows.has(n)),
        [],
        'rows that were acknowledged are there',
      )
      assert.deepEqual(
        [...now.files, ...now.rows].filter((n) => !asked.has(n)),
        [],
        'nothing else is there',
      )
      assert.deepEqual(
        [...now.rows].filter((n) => !now.files.has(n)),
        [],
        'no row is there without its file',
      )
      files = new Set(now.files)
      rows = new Set(now.rows)
      return now
    },
    now: () => ({
      acknowledged: { files: new Set(files), rows: new Set(rows) },
      asked: { files: new Set(asked), rows: new Set(asked) },
    }),
    begin(from) {
      files = new Set(from.files)
      rows = new Set(from.rows)
      asked = new Set([...from.files, ...from.rows])
    },
    allow(more) {
      asked = new Set([...asked, ...more.files, ...more.rows])
    },
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
