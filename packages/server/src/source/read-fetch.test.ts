import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { isRefusal } from '@perennial/protocol'
import { readFetch, readLook, UnreadableFetch, type FetchOutcome } from './read-fetch.ts'
import { fuzz } from './testing.ts'

const body = 'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b> 1767225600 +0000\n\nfirst\n'
const hash = createHash('sha1').update(`commit ${body.length}\0${body}`).digest('hex')
const base64 = (text: string) => Buffer.from(text).toString('base64')
const LINES = [
  `commit ${hash}`,
  'ref refs/heads/main',
  'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904',
  'committed 1767225600',
  'subject Zmlyc3Q=',
  'object',
  ...(base64(body).match(/.{1,76}/g) ?? []),
  'end',
  'counted 2 30',
  'root web',
  'folder',
  'entry 100644 package.json',
  'file package.json',
  'e30=',
  'end',
  'top',
  `lockfile package-lock.json ${'ab'.repeat(32)} e30=`,
  'entry 100644 package-lock.json',
  'entry 040000 src',
  'submodule themes/x',
  'elsewhere docs',
  'lfs',
  base64('./big.mp4\n./a\n'),
  'end',
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
    [found.commit, found.ref, found.subject, found.files.get('package.json'), found.root],
    [hash, 'refs/heads/main', 'first', '{}', 'web'],
  )
  assert.deepEqual([[...found.paths], [...found.top.paths]], [['package.json'], ['package-lock.json', 'src/']])
  assert.deepEqual(found.top.lockfiles.get('package-lock.json'), { sha256: 'ab'.repeat(32), head: '{}' })
  assert.deepEqual([found.submodules, found.elsewhere, found.lfs], [['themes/x'], ['docs'], ['big.mp4', 'a']])
  assert.deepEqual(found.signature, { kind: 'none' })
  assert.equal(found.lockfileSha256, 'ab'.repeat(32))
})

test('a commit that is not the one that it is called is not taken', () => {
  const out = LINES.map((line) => (line.startsWith('commit ') ? `commit ${'0'.repeat(40)}` : line))
  assert.throws(() => readFetch(outcome({ out })), UnreadableFetch)
})

test('whatever is printed instead is a refusal or an error of its own kind, never more', () => {
  const corpus = [
    LINES.join('\n'),
    LINES.slice(0, 8).join('\n'),
    'problem both',
    `problem many-commits ${hash} ${hash}`,
  ]
  const words = [...LINES, 'problem ', 'entry 120000 package.json', 'counted 99999999 1', '\n']
  let at = 0
  fuzz({ corpus, words }, (text) => {
    const lines = text.split('\n')
    try {
      const looked = readLook(outcome({ out: lines, exit: exited([0, 1, 128][at % 3] ?? 0) }))
      assert.ok(isRefusal(looked) || /^[0-9a-f]{40,64}$/.test(looked.commit))
      const found = readFetch(outcome({ out: lines, err: lines.slice(0, 3), exit: exited([0, 1, 128][at++ % 3] ?? 0) }))
      if (isRefusal(found)) assert.ok(found.sentence.length > 0 && found.sentence.length < 1000)
      else assert.equal(found.commit, hash)
    } catch (error) {
      if (!(error instanceof UnreadableFetch)) throw error
    }
  })
})

test('git’s own words become sentences', () => {
  const said = (...err: string[]) => {
    const found = readFetch(outcome({ out: [], err, exit: exited(128) }))
    return isRefusal(found) ? found.sentence : 'read'
  }
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
  assert.match(said('fatal: fetch-pack: index-pack died of signal 25'), /is too large/)
  assert.match(said('fatal: unable to access: Maximum (20) redirects followed'), /without end/)
  assert.match(said('fatal: remote error: Server does not allow request for unadvertised object'), /branches and tags/)
  assert.match(said('fatal: something \u001b[31mnew'), /git could not fetch/)
  const late = readFetch(outcome({ exit: null }))
  assert.ok(isRefusal(late) && /was stopped after/.test(late.sentence))
})

test('what our own script says becomes sentences, each with a next step', () => {
  const said = (problem: string, ref = 'v1') => {
    const found = readFetch(outcome({ out: [`problem ${problem}`], ref, root: 'web' }))
    assert.ok(isRefusal(found) && (found.nextStep ?? '').length > 0)
    return `${found.sentence} ${found.nextStep}`
  }
  assert.match(said('empty'), /has no commit/)
  assert.match(said('no-ref'), /no branch, tag or commit v1/)
  assert.match(said('both'), /a branch and a tag v1.*heads\/v1 or tags\/v1/)
  assert.match(
    said(`many-commits ${'a'.repeat(40)} ${'ab'.repeat(20)} `, 'aaaaaaa'),
    /begin with aaaaaaa: a{16}, (ab){8}/,
  )
  assert.match(said('off-branch', hash), /fork or of a pull request/)
  assert.match(said('not-a-commit'), /is no commit/)
  assert.match(said('no-folder'), /has no folder web/)
  assert.match(said('constructor'), /git could not fetch/)
})
