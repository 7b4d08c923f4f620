import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { openTestSandbox } from '@perennial/sandbox/testing'
import { gitRemote } from '@perennial/testnet/git-remote'
import { isRefusal, type Refusal } from '@perennial/protocol'
import { systemClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { openDiagnostics } from '../diagnostics.ts'
import { openOutbound } from '../outbound/index.ts'
import { readOutput } from '../output.ts'
import { fetchSpec, LOOK_TIMEOUT_MS, lookSpec, readFetch, readLook, type Fetched } from './index.ts'
import { sshSignature } from './signature/testing.ts'

const stack = new AsyncDisposableStack()
test.after(() => stack.disposeAsync())
const sandbox = stack.use(await openTestSandbox())
const remote = stack.use(await gitRemote())
const secret = stack.use(await gitRemote({ repositories: { 'octo/secret': { 'index.html': 'secret' } } }))
const redirecting = stack.use(
  await gitRemote({
    intercept(req, res) {
      res
        .writeHead(302, {
          location: secret.url('octo/secret') + (req.url ?? '').replace(/^\/octo\/[a-z]+(\.git)?/, ''),
        })
        .end()
      return true
    },
  }),
)
const circle = stack.use(
  await gitRemote({
    intercept(req, res) {
      res.writeHead(302, { location: `http://${req.headers.host}/again${req.url ?? ''}` }).end()
      return true
    },
  }),
)
const folder = mkdtempSync(join(tmpdir(), 'perennial-fetch-'))
stack.defer(() => rmSync(folder, { recursive: true }))
const { doorAddress, subnet } = await sandbox.client.probe()
const config = readConfig({
  PERENNIAL_DATA: folder,
  PERENNIAL_DEVELOPMENT_REMOTES: `${remote.hostPort},${redirecting.hostPort},${circle.hostPort}`,
})
const services = { config, clock: systemClock, diagnostics: openDiagnostics({ level: 'error' }) }
const outbound = await openOutbound(services, { doorAddress, subnet })
stack.defer(() => outbound.close())
let made = 0

/** Fetches as a build does, and lets `look` run in a sandbox that has the tree afterwards. */
async function fetchFrom(
  url: string,
  ref: string | null = null,
  look?: string,
  root?: string,
): Promise<{ found: Fetched | Refusal; looked: string[] }> {
  const { client } = sandbox
  const id = `fetch${++made}`
  await client.scratch({ id, sizeBytes: 256 * 2 ** 20 })
  const spec = fetchSpec({ id, scratch: id, repository: { url }, ref, root: root ?? '', gitProxy: outbound.gitProxy })
  const { address } = await client.start(spec)
  const exit = await client.wait({ id, timeoutMs: 60_000 })
  const lines = await readOutput(client.logPath(id))
  const of = (stream: 'out' | 'err') =>
    lines.filter((line) => line.stream === stream).map(({ bytes }) => bytes.toString())
  const found = readFetch({
    out: of('out'),
    err: of('err'),
    exit,
    refused: outbound.refusal(address),
    url,
    ref,
    root: root ?? '',
  })
  outbound.forget(address)
  await client.remove({ id })
  const looked: string[] = []
  if (look !== undefined) {
    await client.start({ ...spec, id: `${id}-look`, argv: ['sh', '-c', look], env: {}, network: 'none' })
    await client.wait({ id: `${id}-look`, timeoutMs: 10_000 })
    looked.push(...(await readOutput(client.logPath(`${id}-look`))).map(({ bytes }) => bytes.toString()))
    await client.remove({ id: `${id}-look` })
  }
  await client.removeScratch({ id })
  return { found, looked }
}

const plain = (name: string) => remote.url(name).replace(/\.git$/, '')
async function fetched(
  name: string,
  ref?: string | null,
  look?: string,
  root?: string,
): Promise<Fetched & { looked: string[] }> {
  const { found, looked } = await fetchFrom(plain(name), ref, look, root)
  assert.ok(!isRefusal(found), isRefusal(found) ? found.sentence : '')
  return { ...found, looked }
}
async function refused(url: string, ref: string | null = null, root?: string): Promise<Refusal> {
  const { found } = await fetchFrom(url, ref, undefined, root)
  assert.ok(isRefusal(found), JSON.stringify(found))
  return found
}

/** git in the bare repository, for trees that no honest tool makes. */
function bare(name: string, argv: string[], input = ''): string {
  const env = {
    PATH: process.env['PATH'],
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@b',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@b',
  }
  return execFileSync('git', ['-c', 'safe.directory=*', '--git-dir', remote.folder(name), ...argv], { input, env })
    .toString()
    .trim()
}
async function withTree(name: string, entries: string): Promise<void> {
  await remote.commit(name, { a: 'a' }, 'first')
  // Raw: `git mktree` itself would not write some of these.
  const raw = Buffer.concat(
    entries.split('\n').map((line) => {
      const [mode = '', id = '', path = ''] = line.split(' ')
      return Buffer.concat([Buffer.from(`${mode} ${path}\0`), Buffer.from(id, 'hex')])
    }),
  )
  const tree = execFileSync(
    'git',
    [
      '-c',
      'safe.directory=*',
      '--git-dir',
      remote.folder(name),
      'hash-object',
      '-t',
      'tree',
      '-w',
      '--literally',
      '--stdin',
    ],
    { input: raw },
  )
  const commit = bare(name, ['commit-tree', '-m', 'odd', tree.toString().trim()])
  bare(name, ['update-ref', 'refs/heads/main', commit])
}

/** The commit's tree with a submodule beside its files. */
function withGitlink(name: string, commit: string, path: string): string {
  const tree = bare(name, ['ls-tree', commit])
  const made = bare(name, ['mktree', '--missing'], `${tree}\n160000 commit ${'1'.repeat(40)}\t${path}\n`)
  return bare(name, ['commit-tree', '-p', commit, '-m', 'submodule', made])
}

test('a branch, a tag, a commit and the default branch are fetched, manifests and tree', async () => {
  const files = {
    'package.json': '{"name":"x"}',
    'package-lock.json': '{}\n',
    'src/a.js': 'a',
    'README.md': '# Read\n',
    tool: { run: '#!/bin/sh\n' },
  }
  const first = await remote.commit('octo/hello', files, 'first\n\nmore')
  bare('octo/hello', ['tag', 'v1', first])
  const second = await remote.commit('octo/hello', { 'README.md': '# Again\n' }, 'second')
  const head = await fetched('octo/hello', null, 'cd /app && find . -type f | sort && ./tool && ls -a')
  assert.deepEqual(
    [head.commit, head.subject, head.committedAt.toISOString()],
    [second, 'second', '2026-01-01T00:00:00.000Z'],
  )
  assert.equal(head.files.get('package.json'), '{"name":"x"}')
  assert.equal(head.files.get('README.md'), '# Again\n')
  assert.equal(head.files.has('src/a.js'), false)
  assert.equal(head.lockfileSha256, 'ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356')
  assert.deepEqual([...head.paths].toSorted(), ['README.md', 'package-lock.json', 'package.json', 'src/', 'tool'])
  assert.deepEqual(head.looked.slice(0, 5), [
    './README.md',
    './package-lock.json',
    './package.json',
    './src/a.js',
    './tool',
  ])
  assert.ok(!head.looked.includes('.git'))
  for (const ref of ['v1', first]) assert.equal((await fetched('octo/hello', ref)).commit, first)
  assert.equal((await fetched('octo/hello', 'main')).commit, second)
})

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
    const { commit, ref: from } = await fetched('octo/names2', ref)
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
  const said = async (ref: string) => (await refused(plain('octo/names2'), ref)).sentence
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
  const found = await fetched('octo/mono', null, undefined, 'apps/web')
  assert.deepEqual([found.root, found.files.get('package.json')], ['apps/web', '{"name":"web"}'])
  assert.equal(found.top.files.get('package.json'), '{"workspaces":["apps/*"]}')
  assert.deepEqual([...found.top.lockfiles.keys()], ['package-lock.json'])
  assert.deepEqual(found.elsewhere, ['apps/api', 'apps/web'])
  for (const root of ['apps/none', 'apps/link', 'package.json'])
    assert.match((await refused(plain('octo/mono'), null, root)).sentence, new RegExp(`has no folder ${root}`))
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

test('redirects that never end, do', async () => {
  assert.match((await refused(circle.url('octo/round'))).sentence, /without end|could not be reached/)
})

test('what cannot be fetched is refused in a sentence that says why', async () => {
  assert.match((await refused(plain('octo/none'))).sentence, /no public repository/)
  assert.match((await refused(plain('octo/hello'), 'nope')).sentence, /no branch, tag or commit nope/)
  assert.match(
    (await refused(plain('octo/hello'), '0'.repeat(40))).sentence,
    /No branch or tag of .* has the commit 0000/,
  )
  await remote.commit('octo/empty', {}, 'x')
  bare('octo/empty', ['update-ref', '-d', 'refs/heads/main'])
  assert.match((await refused(plain('octo/empty'))).sentence, /it has no commit/)
  const inside = await refused(`http://${secret.hostPort}/octo/secret`)
  assert.match(inside.sentence, /without encryption/)
})

test('a redirect to a remote that is not allowed leads nowhere; to one that is allowed it does', async () => {
  const before = secret.requests.length
  const found = await refused(redirecting.url('octo/moved'))
  assert.match(found.sentence, /without encryption/)
  assert.equal(secret.requests.length, before)
})

test('a manifest that is a link is not read, and links lead nowhere outside the sandbox', async () => {
  await remote.commit(
    'octo/links',
    { 'package.json': { link: '/etc/passwd' }, Procfile: { link: '../../../../../../etc/shadow' }, 'index.html': 'x' },
    'x',
  )
  const found = await fetched('octo/links', null, 'cat /app/package.json /app/Procfile')
  assert.deepEqual([...found.files.keys()], ['index.html'])
  assert.deepEqual([...found.paths], ['index.html'])
  // What the link shows is the image's own file, which everyone has.
  assert.match(found.looked[0] ?? '', /^root:x:0:0:root:\/tmp:\/bin\/sh$/)
  assert.ok(found.looked.some((line) => line.includes('Procfile')))
})

test('submodules, filters and hooks of a repository do nothing', async () => {
  const files = {
    '.gitmodules': `[submodule "x"]\n\tpath = x\n\turl = ${secret.url('octo/secret')}\n`,
    '.gitattributes': '*.txt filter=evil\n*.bin filter=lfs diff=lfs merge=lfs -text\n',
    'a.txt': 'as it is',
    'a.bin': 'version https://git-lfs.github.com/spec/v1\n',
    '.gitconfig': '[filter "evil"]\n\tsmudge = touch /tmp/evil\n[core]\n\thooksPath = hooks\n',
    'hooks/post-checkout': { run: '#!/bin/sh\ntouch /app/evil\n' },
    'index.html': 'x',
  }
  await remote.commit('octo/filters', files, 'x')
  const found = await fetched('octo/filters', null, 'cd /app && cat a.txt && echo && ls')
  assert.equal(found.looked[0], 'as it is')
  assert.ok(!found.looked.includes('evil'))
  assert.ok(!found.looked.includes('x'))
})

test('paths that git must not write are refused, and nothing is written by them', async () => {
  await remote.commit('octo/blob', { a: 'evil' }, 'x')
  const blob = bare('octo/blob', ['rev-parse', 'main:a'])
  for (const [name, path] of [
    ['dotgit', '.git'],
    ['up', '..'],
    ['here', '.'],
  ] as const) {
    await withTree(`octo/${name}`, `100644 ${blob} ${path}`)
    bare(`octo/${name}`, ['hash-object', '-w', '--stdin'], 'evil')
    const found = await refused(plain(`octo/${name}`))
    assert.match(found.sentence, /git refuses to write|git could not fetch/, path)
  }
})

test('names and messages that imitate our own lines are read as what they are', async () => {
  const files = {
    'commit 1': 'x',
    'done\ndone': 'x',
    end: 'x',
    'README.md': 'done\nend\ncommit 0000\n',
    'index.html': '<h1>',
    'entry 100644 package.json': 'x',
    'ü "q" \\': 'x',
  }
  await remote.commit('octo/names', files, 'done \u001b[31m commit 0')
  const found = await fetched('octo/names')
  assert.equal(found.files.get('README.md'), files['README.md'])
  assert.ok(!found.paths.has('package.json'))
  assert.equal(found.subject, 'done [31m commit 0')
})

test('a manifest that is too long is cut, and a tree that is too large is refused before it is written', async () => {
  await remote.commit('octo/long', { 'README.md': 'x'.repeat(1_000_000), 'index.html': 'x' }, 'x')
  assert.equal((await fetched('octo/long')).files.get('README.md')?.length, 262_144)
  // A tree of trees of trees: 10^8 files in nine objects.
  await remote.commit('octo/bomb', { a: 'a' }, 'x')
  let tree = bare('octo/bomb', ['mktree'], `100644 blob ${bare('octo/bomb', ['rev-parse', 'main:a'])}\ta\n`)
  for (let depth = 0; depth < 8; depth++)
    tree = bare(
      'octo/bomb',
      ['mktree'],
      Array.from({ length: 10 }, (_, at) => `040000 tree ${tree}\td${at}\n`).join(''),
    )
  bare('octo/bomb', ['update-ref', 'refs/heads/main', bare('octo/bomb', ['commit-tree', '-m', 'x', tree])])
  assert.match((await refused(plain('octo/bomb'))).sentence, /is too large/)
  const large = Object.fromEntries(Array.from({ length: 6 }, (_, at) => [`big${at}`, Buffer.alloc(100 * 2 ** 20)]))
  await remote.commit('octo/large', large, 'x')
  assert.match((await refused(plain('octo/large'))).sentence, /is too large/)
})
