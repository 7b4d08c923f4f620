/** Runs groups of test files one after the other and prints one report over all of them, in node's own words. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'

export interface Group {
  readonly files: readonly string[]
  /** How many files at once. */
  readonly concurrency: number
}

export interface Outcome {
  readonly tests: number
  readonly failed: number
  /** The files that took longest, longest first. */
  readonly slowest: readonly Took[]
}

interface Took {
  readonly file: string
  readonly seconds: number
}

/** A file that hangs is ended, so that one leak cannot cost the whole run; more counts take longer, an area 75 minutes. */
const SCALE = Number(process.env['TEST_SCALE'] ?? 1)
const FILE_TIMEOUT_MS = Math.min(600_000 * Math.max(1, SCALE), 4_500_000)
const SLOWEST = 8
const COUNTS = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo'] as const
const COUNT = new RegExp(`^(${COUNTS.join('|')}) (\\d+)$`)

export async function runGroups({ groups, cwd }: { groups: readonly Group[]; cwd: string }): Promise<Outcome> {
  const startedMs = performance.now()
  const took: Took[] = []
  const sums = new Map<string, number>(COUNTS.map((word) => [word, 0]))

  async function* events(): AsyncIterable<unknown> {
    for (const group of groups) {
      for await (const { file, seconds, said } of endings(group, cwd)) {
        took.push({ file, seconds })
        for (const event of said) {
          const message = event.type === 'test:diagnostic' && event.data.nesting === 0 ? event.data.message : ''
          const [, word, count] = COUNT.exec(message) ?? []
          // Each file closes with counts of its own; the report closes once, with their sums.
          if (word !== undefined) sums.set(word, (sums.get(word) ?? 0) + Number(count))
          else if (event.type !== 'test:summary' && !message.startsWith('duration_ms')) yield event
        }
      }
    }
    const closing = [...sums].map(([word, count]) => `${word} ${count}`)
    for (const message of [...closing, `duration_ms ${Math.round(performance.now() - startedMs)}`])
      yield { type: 'test:diagnostic', data: { nesting: 0, message, level: 'info' } }
  }

  await pipeline(Readable.from(events()), new spec(), process.stdout, { end: false })
  const slowest = took.toSorted((a, b) => b.seconds - a.seconds).slice(0, SLOWEST)
  return { tests: sums.get('tests') ?? 0, failed: (sums.get('fail') ?? 0) + (sums.get('cancelled') ?? 0), slowest }
}

interface Ending extends Took {
  readonly said: readonly TestEvent[]
}

/** Starts the files in their order, so many at once, and answers as they end. */
async function* endings({ files, concurrency }: Group, cwd: string): AsyncIterable<Ending> {
  const waiting = [...files]
  const running = new Map<string, Promise<Ending>>()
  while (waiting.length + running.size > 0) {
    for (const file of waiting.splice(0, concurrency - running.size)) running.set(file, runFile(file, cwd))
    const ending = await Promise.race(running.values())
    running.delete(ending.file)
    yield ending
  }
}

/** A run of its own: `timeout` would be for each test, and a file that is done with its tests may still hang. */
async function runFile(file: string, cwd: string): Promise<Ending> {
  const startedMs = performance.now()
  const said: TestEvent[] = []
  const signal = AbortSignal.timeout(FILE_TIMEOUT_MS)
  for await (const event of run({ files: [file], timeout: FILE_TIMEOUT_MS, signal, cwd })) said.push(event)
  return { file, seconds: (performance.now() - startedMs) / 1000, said }
}
