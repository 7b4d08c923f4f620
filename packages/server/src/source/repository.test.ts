import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { isRefusal } from '@perennial/protocol'
import { parseRef } from './ref.ts'
import { parseRepository, type Repository } from './repository.ts'
import { fuzz } from './testing.ts'

const runs = 2000 * Number(process.env['TEST_SCALE'] ?? 1)
const forges = { defaultForge: 'forge.example', developmentRemotes: ['127.0.0.1:4000'] }

function parsed(text: string, config = forges): Repository {
  const found = parseRepository(text, config)
  assert.ok(!isRefusal(found), `${text}: ${isRefusal(found) && found.sentence}`)
  return found
}
function refused(text: string): string {
  const found = parseRepository(text, forges)
  assert.ok(isRefusal(found), `${text} was taken for ${JSON.stringify(found)}`)
  return found.sentence
}

test('the same repository is the same app, however its address is pasted', () => {
  for (const text of [
    'https://forge.example/octo/hello',
    'https://forge.example/octo/hello.git',
    'https://FORGE.example/octo/hello/',
    'forge.example/octo/hello',
    ' octo/hello\n',
    'https://forge.example:443/octo/hello.git/',
  ].map((pasted) => pasted.replace('.git/', '.git'))) {
    const { url, slug, owner, name, clean } = parsed(text)
    assert.deepEqual(
      { url, slug, owner, name, clean },
      { url: 'https://forge.example/octo/hello', slug: 'hello--octo', owner: 'octo', name: 'hello', clean: true },
    )
  }
})

test('development remotes are exact and may use http', () => {
  const { url, forge, slug, clean } = parsed('http://127.0.0.1:4000/octo/hello.git')
  assert.deepEqual([url, forge, clean], ['http://127.0.0.1:4000/octo/hello', '127.0.0.1:4000', false])
  assert.match(slug, /^hello--octo--[a-z2-7]{10}$/)
  assert.match(refused('http://127.0.0.1:4001/octo/hello.git'), /over https/)
  assert.match(refused('https://127.0.0.1:4001/octo/hello.git'), /usual https port/)
  assert.match(refused('http://forge.example/octo/hello'), /over https/)
  const local = { defaultForge: '127.0.0.1:4000', developmentRemotes: ['127.0.0.1:4000'] }
  assert.equal(parsed('octo/hello', local).url, 'http://127.0.0.1:4000/octo/hello')
  assert.equal(parsed('octo/hello', local).slug, 'hello--octo')
})

test('nested groups are owners on other forges; the default forge has owner and repository', () => {
  assert.equal(parsed('https://other.example/group/sub/hello').owner, 'group/sub')
  assert.match(refused('https://forge.example/octo/hello/more'), /leads into a repository/)
})

test('pages of forges name the branch, the commit and the folder', () => {
  const pages: [string, string | null, string][] = [
    ['https://forge.example/octo/hello/tree/main', 'main', ''],
    ['https://forge.example/octo/hello/tree/main/packages/web', 'main', 'packages/web'],
    ['https://forge.example/octo/hello/tree/feature%2Fx/web', 'feature/x', 'web'],
    ['https://forge.example/octo/hello/commit/4b825dc', '4b825dc', ''],
    ['https://forge.example/octo/hello/releases/tag/v1.2', 'v1.2', ''],
    ['https://forge.example/octo/hello?tab=readme-ov-file', null, ''],
    ['https://lab.example/group/sub/hello/-/tree/main/web?ref_type=heads', 'main', 'web'],
    ['https://lab.example/group/sub/hello/-/tags/v1', 'v1', ''],
    ['https://tea.example/octo/hello/src/branch/main/web', 'main', 'web'],
    ['https://tea.example/octo/hello/src/tag/v1', 'v1', ''],
    ['https://tea.example/octo/hello/src/commit/4b825dc/web', '4b825dc', 'web'],
    ['https://bitbucket.example/octo/hello/src/main/web', 'main', 'web'],
    ['git@forge.example:octo/hello.git', null, ''],
    ['ssh://git@forge.example/octo/hello.git', null, ''],
    ['git@lab.example:group/sub/hello', null, ''],
  ]
  for (const [text, ref, root] of pages) {
    const found = parsed(text)
    assert.deepEqual([found.ref, found.root], [ref, root], text)
    assert.match(found.url, /^https:\/\/[a-z]+\.example\/(?:octo|group\/sub)\/hello$/, text)
  }
  assert.equal(parsed('https://other.example/a/b/src/c').name, 'c')
})

test('a page that is no folder is refused, and says what it is and what to paste', () => {
  assert.match(
    refused('https://forge.example/octo/hello/blob/main/README.md'),
    /a file of https:\/\/forge\.example\/octo\/hello/,
  )
  assert.match(refused('https://lab.example/group/hello/-/merge_requests/1'), /another page of https:\/\/lab/)
  assert.match(refused('https://forge.example/octo/hello/pull/7'), /another page/)
  assert.match(refused('https://forge.example/octo/hello/tree/main/a/../../x y'), /./)
  assert.match(refused('https://forge.example/octo/hello/tree/refs/pull/7/head'), /./)
})

test('what is given beside the address completes it, and must not contradict it', () => {
  const beside = (text: string, more: { ref?: string; root?: string }) => parseRepository(text, forges, more)
  const page = 'https://forge.example/octo/hello/tree/feature/x/web'
  const known = beside(page, { ref: 'feature/x' })
  assert.ok(!isRefusal(known))
  assert.deepEqual([known.ref, known.root], ['feature/x', 'web'])
  const both = beside('octo/hello', { ref: 'v1', root: './packages/web/' })
  assert.ok(!isRefusal(both))
  assert.deepEqual([both.ref, both.root], ['v1', 'packages/web'])
  for (const more of [
    { ref: 'main' },
    { root: 'api' },
    { ref: '../x' },
    { root: '../x' },
    { root: '/etc/../x' },
    { root: '-x' },
  ]) {
    const found = beside(page, more)
    assert.ok(isRefusal(found), JSON.stringify(more))
  }
})

test('a folder of a repository is an app of its own, with the hash of all of it in its name', () => {
  const web = parseRepository('octo/hello', forges, { root: 'web' })
  const api = parseRepository('octo/hello', forges, { root: 'api' })
  assert.ok(!isRefusal(web) && !isRefusal(api))
  assert.match(web.slug, /^hello--octo--[a-z2-7]{10}$/)
  assert.notEqual(web.slug, api.slug)
  assert.deepEqual([web.url, web.clean], ['https://forge.example/octo/hello', false])
})

test('what is no public repository is refused', () => {
  for (const text of [
    '',
    'hello',
    'https://forge.example',
    'https://forge.example/hello',
    'ftp://forge.example/a/b',
    'file:///etc/passwd',
    'ssh://git@forge.example:7999/a/b',
    'ssh://me@forge.example/a/b',
    'me@forge.example:octo/hello',
    'git@forge.example:22/a/b',
    'ext::sh -c id',
    'https://localhost/a/b',
    'https://10.0.0.1/a/b',
    'https://[::1]/a/b',
    'https://2130706433/a/b',
    'https://0x7f.1/a/b',
    'https://forge.example:22/a/b',
    'https://me:word@forge.example/a/b',
    'https://forge.example/a/b?x=1',
    'https://forge.example/a/b#x',
    'https://forge.example/a/%2e%2e',
    'https://forge.example/-upload-pack/b',
    'https://forge.example/a/.git',
    'https://forge.example/a/b\nc',
    'https://forge.example/a//b',
    `https://forge.example/a/${'b'.repeat(600)}`,
    'https://forge.example\\@inside/a/b',
    '--upload-pack=x/y',
    'javascript://forge.example/a/b',
    'https://x.1/a/b',
    'https://.../a/b',
  ])
    refused(text)
})

test('a folded, long, dashed or two-letter name, and every other forge, carries a hash', () => {
  for (const text of [
    'octo/Hello',
    'octo/he_llo',
    'octo/he--llo',
    'oc--to/hello',
    'octo/hi',
    'octo/hello-',
    `octo/${'h'.repeat(60)}`,
    'https://other.example/octo/hello',
  ])
    assert.match(parsed(text).slug, /^[a-z0-9-]+--[a-z0-9-]+--[a-z2-7]{10}$/, text)
  assert.equal(parsed('octo/a').slug, 'a--octo')
})

test('every slug is one host label, no reserved one, and two repositories never share one', () => {
  const word = fc.stringMatching(/^[A-Za-z0-9_~][A-Za-z0-9._~-]{0,40}$/)
  const address = fc
    .tuple(fc.constantFrom('forge.example', 'other.example', 'a.other.example'), word, word)
    .map((parts) => `https://${parts.join('/')}`)
  fc.assert(
    fc.property(address, address, (one, other) => {
      const found = [one, other]
        .map((text) => parseRepository(text, forges))
        .filter((value): value is Repository => !isRefusal(value))
      for (const { slug } of found) {
        assert.match(slug, /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
        assert.notEqual(slug.slice(2, 4), '--')
      }
      const [a, b] = found
      if (a && b && a.url !== b.url) assert.notEqual(a.slug, b.slug)
    }),
    { numRuns: runs },
  )
})

test('any text is a repository or a refusal, and a repository parses to itself again', () => {
  const corpus = [
    'https://forge.example/octo/hello',
    'octo/hello',
    'git@forge.example:octo/hello.git',
    'https://lab.example/group/sub/hello/-/tree/main/web?ref_type=heads',
    'https://forge.example/octo/hello/tree/feature%2Fx/packages/web',
    'http://127.0.0.1:4000/octo/hello.git',
    'https://tea.example/octo/hello/src/branch/main/web#readme',
  ]
  const words = [
    '/tree/',
    '/-/',
    '/src/branch/',
    '%2f',
    '%2e%2e',
    '@',
    ':',
    '?tab=x',
    '.git',
    'xn--',
    '[::1]',
    '127.0.0.1',
    '//',
  ]
  fuzz({ corpus, words }, (pasted) => {
    const found = parseRepository(pasted, forges)
    if (isRefusal(found)) return assert.ok(found.sentence.length > 0 && found.sentence.length < 3000)
    const again = parseRepository(found.url, forges, { ref: found.ref ?? undefined, root: found.root })
    assert.deepEqual(again, found)
    assert.ok(!found.root.split('/').includes('..') && !isRefusal(parseRef(found.ref)))
  })
})

test('any ref is one that git takes, or is refused', () => {
  const corpus = [
    'main',
    'refs/heads/feature/x',
    'tags/v1.2',
    '4b825dc',
    'a'.repeat(40),
    '@scope/pkg@1.0.0',
    'refs/pull/1/head',
  ]
  fuzz(
    { corpus, words: ['..', '@{', '.lock', '//', 'refs/', 'heads/', '~1', '^', ':', ' ', '--upload-pack='] },
    (text) => {
      const ref = parseRef(text)
      if (isRefusal(ref) || ref.kind === 'default') return
      assert.match(ref.name, /^[A-Za-z0-9_@][A-Za-z0-9_./+@#=,-]{0,249}$/)
      assert.doesNotMatch(ref.name, /\.\.|@\{|\/\/|\.lock$|\/$|\.$/)
    },
  )
})
