import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { isRefusal } from '@perennial/protocol'
import { readFetch, UnreadableFetch, type FetchOutcome } from './read-fetch.ts'

const runs = 500 * Number(process.env['TEST_SCALE'] ?? 1)
const hash = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'
const LINES = [
  `commit ${hash}`,
  `tree ${hash}`,
  'committed 1767225600',
  'subject Zmlyc3Q=',
  'counted 2 30',
  'entry 100644 package.json',
  'file package.json',
  'e30=',
  'end',
  'entry 040000 src',
  'done',
]
const exited = (code: number) => ({ code, reason: 'exited', sentence: `exited with code ${code}` }) as const
const outcome = (change: Partial<FetchOutcome>): FetchOutcome => ({
  out: LINES,
  err: [],
  exit: exited(0),
  refused: null,
  url: 'https://forge.example/a/b',
  ref: null,
  ...change,
})

test('what our script prints is read', () => {
  const found = readFetch(outcome({}))
  assert.ok(!isRefusal(found))
  assert.deepEqual(
    [found.commit, found.subject, found.files.get('package.json'), [...found.paths]],
    [hash, 'first', '{}', ['package.json', 'src/']],
  )
})

test('whatever is printed instead is a refusal or an error of its own kind, never more', () => {
  const line = fc.oneof(
    fc.constantFrom(...LINES),
    fc.string({ maxLength: 100 }),
    fc.constantFrom('file x', 'lockfile package-lock.json', 'entry 120000 package.json', 'counted 99999999 1'),
  )
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 15 }),
      fc.nat({ max: LINES.length }),
      fc.array(fc.string(), { maxLength: 3 }),
      fc.constantFrom(0, 1, 128),
      (lines, at, err, code) => {
        try {
          const found = readFetch(
            outcome({ out: [...LINES.slice(0, at), ...lines, ...LINES.slice(at)], err, exit: exited(code) }),
          )
          if (isRefusal(found)) assert.ok(found.sentence.length > 0 && found.sentence.length < 600)
          else assert.equal(found.commit, hash)
        } catch (error) {
          if (!(error instanceof UnreadableFetch)) throw error
        }
      },
    ),
    { numRuns: runs },
  )
})

test('git’s own words become sentences', () => {
  const said = (...err: string[]) => {
    const found = readFetch(outcome({ out: [], err, exit: exited(128) }))
    return isRefusal(found) ? found.sentence : 'read'
  }
  assert.match(said("fatal: couldn't find remote ref HEAD"), /has no commit/)
  assert.match(said("fatal: couldn't find remote ref nope"), /no branch, tag or commit/)
  assert.match(said('fatal: remote error: upload-pack: not our ref 0000'), /no branch, tag or commit/)
  assert.match(
    said('remote: Repository not found.', "fatal: repository 'https://x/' not found"),
    /no public repository/,
  )
  assert.match(
    said("fatal: could not read Username for 'https://x': terminal prompts disabled"),
    /no public repository/,
  )
  assert.match(said('fatal: write error: No space left on device'), /is too large/)
  assert.match(said("fatal: unable to access 'https://x/': Failed to connect"), /could not be reached/)
  assert.match(said("fatal: unable to access 'https://x/': server certificate verification failed."), /is not trusted/)
  assert.match(said("error: invalid path '.git/config'"), /git refuses to write/)
  assert.match(said('fatal: something \u001b[31mnew'), /git could not fetch/)
  const late = readFetch(outcome({ exit: null }))
  assert.ok(isRefusal(late) && /was stopped after/.test(late.sentence))
})
