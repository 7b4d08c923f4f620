/** Runs groups of test files one after the other and prints one report over all of them, in node's own words. */
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

export interface Group {
  readonly files: readonly string[]
  /** How many files at once. */
  readonly concurrency: number
}

export interface Outcome {
  readonly tests: number
  readonly failed: number
  /** The files that took longest, longest first. */
  readonly slowest: readonly { readonly file: string; readonly seconds: number }[]
}

/** A file that hangs is ended, so that one leak cannot cost the whole run; more counts take longer, an area 75 minutes. */
const SCALE = Number(process.env['TEST_SCALE'] ?? 1)
const FILE_TIMEOUT_MS = Math.min(300_000 * Math.max(1, SCALE), 4_500_000)
const SLOWEST = 8
const COUNTS = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo'] as const
const COUNT = new RegExp(`^(${COUNTS.join('|')}) (\\d+)$`)

export async function runGroups({ groups, cwd }: { groups: readonly Group[]; cwd: string }): Promise<Outcome> {
  const startedMs = performance.now()
  const took = new Map<string, number>()
  const sums = new Map<string, number>(COUNTS.map((word) => [word, 0]))

  async function* events(): AsyncIterable<unknown> {
    for (const { files, concurrency } of groups) {
      if (files.length === 0) continue
      for await (const event of run({ files: [...files], concurrency, timeout: FILE_TIMEOUT_MS, cwd })) {
        if (event.type === 'test:summary') continue
        // A file is a test of its own around its tests, named by its path.
        if (event.type === 'test:complete' && event.data.file === resolve(cwd, event.data.name))
          took.set(event.data.name, event.data.details.duration_ms / 1000)
        const message = event.type === 'test:diagnostic' && event.data.nesting === 0 ? event.data.message : ''
        const [, word, count] = COUNT.exec(message) ?? []
        // Each group closes with counts of its own; the report closes once, with their sums.
        if (word !== undefined) sums.set(word, (sums.get(word) ?? 0) + Number(count))
        else if (!message.startsWith('duration_ms')) yield event
      }
    }
    const closing = [...sums].map(([word, count]) => `${word} ${count}`)
    for (const message of [...closing, `duration_ms ${Math.round(performance.now() - startedMs)}`])
      yield { type: 'test:diagnostic', data: { nesting: 0, message, level: 'info' } }
  }

  await pipeline(Readable.from(events()), new spec(), process.stdout, { end: false })
  const slowest = [...took]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, SLOWEST)
    .map(([file, seconds]) => ({ file, seconds }))
  return { tests: sums.get('tests') ?? 0, failed: (sums.get('fail') ?? 0) + (sums.get('cancelled') ?? 0), slowest }
}
