import assert from 'node:assert/strict'
import test from 'node:test'
import { isRefusal } from '@perennial/protocol'
import { readOutput } from '../output.ts'
import { LOOK_TIMEOUT_MS, lookSpec, readLook } from './index.ts'
import { sshSignature } from './signature/testing.ts'
import { openFetcher } from './testing/fetcher.ts'

const fetcher = await openFetcher()
test.after(() => fetcher[Symbol.asyncDispose]())
const { sandbox, outbound, remote, plain, fetched, refused, bare } = fetcher
let made = 0

/** The commit's tree with a submodule beside its files. */
function withGitlink(name: string, commit: string, path: string): string {
  const tree = bare(name, ['ls-tree', commit])
  const made = bare(name, ['mktree', '--missing'], `${tree}\n160000 commit ${'1'.repeat(40)}\t${path}\n`)
  return bare(name, ['commit-tree', '-p', commit, '-m', 'submodule', made])
}

test('a name means one thing: a branch, a tag, or a commit by its first characters', async () => {
  const first = await remote.commit('octo/names2', { 'index.html': '1' }, 'one')
  const second = await remote.commit('octo/names2', { 'index.html': '2' }, 'two')
  const other = await remote.commit('octo/names2', { 'index.html': '3' }, 'three', 'feature/x')
  bare('octo/names2', ['tag', '-a', '-m', 'x', 'v1', first])
  bare('octo/names2', ['tag', 'feature/x', second])
  bare('octo/names2', [
    'update-ref',
    'refs/pull/1/head',
    bare('octo/names2', ['commit-tree', '-m', 'theirs', `${second}^{tree}`]),
  ])
  bare('octo/names2', ['tag', 'no-commit', `${second}^{tree}`])
  const at = async (ref: string) => {
    const { commit, ref: from } = await fetched('octo/names2', { ref: ref })
    return [commit, from]
  }
  assert.deepEqual(await at('main'), [second, 'refs/heads/main'])
  assert.deepEqual(await at('v1'), [first, 'refs/tags/v1'])
  assert.deepEqual(await at('heads/feature/x'), [other, 'refs/heads/feature/x'])
  assert.deepEqual(await at('refs/tags/feature/x'), [second, 'refs/tags/feature/x'])
  // No branch or tag ends there.
  await remote.commit('octo/names2', { 'index.html': '4' }, 'four')
  bare('octo/names2', ['tag', '-d', 'feature/x'])
  assert.deepEqual(await at(second), [second, null])
  assert.deepEqual(await at(second.slice(0, 8)), [second, null])
  bare('octo/names2', ['tag', 'feature/x', second])
  const said = async (ref: string) => (await refused(plain('octo/names2'), { ref: ref })).sentence
  assert.match(await said('feature/x'), /a branch and a tag feature\/x/)
  assert.match(await said('no-commit'), /is no commit/)
  assert.match(await said('deadbee'), /no branch, tag or commit deadbee/)
  // A commit that somebody proposed lies in the same store, and is not the repository's own.
  const theirs = bare('octo/names2', ['rev-parse', 'refs/pull/1/head'])
  assert.match(await said(theirs), /may be of a fork or of a pull request/)
})

test('whether there is anything new is asked without fetching it', async () => {
  const first = await remote.commit('octo/news', { 'index.html': '1' }, 'one')
  bare('octo/news', ['tag', '-a', '-m', 'x', 'v1'])
  const look = async (ref: string | null) => {
    const id = `look${++made}`
    const { client } = sandbox
    const url = plain('octo/news')
    const { address } = await client.start(lookSpec({ id, repository: { url }, ref, gitProxy: outbound.gitProxy }))
    const exit = await client.wait({ id, timeoutMs: LOOK_TIMEOUT_MS })
    const lines = await readOutput(client.logPath(id))
    const of = (stream: 'out' | 'err') =>
      lines.filter((line) => line.stream === stream).map(({ bytes }) => bytes.toString())
    await client.remove({ id })
    outbound.forget(address)
    return readLook({ out: of('out'), err: of('err'), exit, refused: null, url, ref })
  }
  assert.deepEqual(await look(null), { commit: first, ref: 'refs/heads/main' })
  const second = await remote.commit('octo/news', { 'index.html': '2' }, 'two')
  assert.deepEqual(await look('main'), { commit: second, ref: 'refs/heads/main' })
  assert.deepEqual(await look('v1'), { commit: first, ref: 'refs/tags/v1' })
  const none = await look('nope')
  assert.ok(isRefusal(none) && /no branch, tag or commit nope/.test(none.sentence))
})

test('a folder is listed with the top, and other folders that hold a manifest are named', async () => {
  await remote.commit(
    'octo/mono',
    {
      'package.json': '{"workspaces":["apps/*"]}',
      'package-lock.json': '{}',
      'apps/web/package.json': '{"name":"web"}',
      'apps/web/README.md': '# Web',
      'apps/api/package.json': '{}',
      'apps/api/node_modules/x/package.json': '{}',
      'apps/link': { link: 'web' },
      'docs/a b/index.html': 'x',
    },
    'x',
  )
  const found = await fetched('octo/mono', { root: 'apps/web' })
  assert.deepEqual([found.root, found.files.get('package.json')], ['apps/web', '{"name":"web"}'])
  assert.equal(found.top.files.get('package.json'), '{"workspaces":["apps/*"]}')
  assert.deepEqual([...found.top.lockfiles.keys()], ['package-lock.json'])
  assert.deepEqual(found.elsewhere, ['apps/api', 'apps/web'])
  for (const root of ['apps/none', 'apps/link', 'package.json'])
    assert.match((await refused(plain('octo/mono'), { root })).sentence, new RegExp(`has no folder ${root}`))
})

test('our own manifest may name the folder; one that names an odd place is read as what it is', async () => {
  await remote.commit('octo/own', { 'perennial.json': '{\n  "root": "site"\n}', 'site/index.html': 'x' }, 'x')
  assert.equal((await fetched('octo/own')).root, 'site')
  await remote.commit('octo/own', { 'perennial.json': '{"root": "../../etc"}' }, 'x')
  assert.equal((await fetched('octo/own')).root, '')
})

test('Git LFS and submodules are named', async () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 12345\n`
  const files = {
    '.gitattributes': '*.mp4 filter=lfs diff=lfs merge=lfs -text\n',
    'a/big.mp4': pointer,
    'index.html': 'x',
  }
  const commit = await remote.commit('octo/lfs', files, 'x')
  bare('octo/lfs', ['update-ref', 'refs/heads/main', withGitlink('octo/lfs', commit, 'themes')])
  const found = await fetched('octo/lfs')
  assert.deepEqual([found.lfs, found.submodules], [['a/big.mp4'], ['themes']])
})

test('a signed commit says by which key', async () => {
  const commit = await remote.commit('octo/signed', { 'index.html': 'x' }, 'x')
  const unsigned = await fetched('octo/signed')
  assert.deepEqual(unsigned.signature, { kind: 'none' })
  const body = bare('octo/signed', ['cat-file', 'commit', commit]) + '\n'
  const { armoured, fingerprint } = sshSignature(Buffer.from(body))
  const signed = body.replace('\n\n', `\ngpgsig ${armoured.trimEnd().replaceAll('\n', '\n ')}\n\n`)
  const id = bare('octo/signed', ['hash-object', '-t', 'commit', '-w', '--stdin'], signed)
  bare('octo/signed', ['update-ref', 'refs/heads/main', id])
  const { signature } = await fetched('octo/signed')
  assert.deepEqual(signature, { kind: 'ssh', valid: true, algorithm: 'ssh-ed25519', fingerprint })
})
