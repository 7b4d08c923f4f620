import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import test from 'node:test'
import { gitRemote } from '@perennial/testnet/git-remote'
import { openFetcher } from './testing/fetcher.ts'

const stack = new AsyncDisposableStack()
test.after(() => stack.disposeAsync())
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
const fetcher = stack.use(await openFetcher([redirecting, circle]))
const { remote, plain, fetched, refused, bare } = fetcher

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
  const head = await fetched('octo/hello', { look: 'cd /app && find . -type f | sort && ./tool && ls -a' })
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
  for (const ref of ['v1', first]) assert.equal((await fetched('octo/hello', { ref: ref })).commit, first)
  assert.equal((await fetched('octo/hello', { ref: 'main' })).commit, second)
})

test('redirects that never end, do', async () => {
  assert.match((await refused(circle.url('octo/round'))).sentence, /without end|could not be reached/)
})

test('what cannot be fetched is refused in a sentence that says why', async () => {
  assert.match((await refused(plain('octo/none'))).sentence, /no public repository/)
  assert.match((await refused(plain('octo/hello'), { ref: 'nope' })).sentence, /no branch, tag or commit nope/)
  assert.match(
    (await refused(plain('octo/hello'), { ref: '0'.repeat(40) })).sentence,
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
  const found = await fetched('octo/links', { look: 'cat /app/package.json /app/Procfile' })
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
  const found = await fetched('octo/filters', { look: 'cd /app && cat a.txt && echo && ls' })
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
