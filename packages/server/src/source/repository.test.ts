import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { isRefusal } from '@perennial/protocol'
import { parseRepository, type Repository } from './repository.ts'

const runs = 500 * Number(process.env['TEST_SCALE'] ?? 1)
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
  assert.match(refused('https://forge.example/octo/hello/tree/main'), /leads into a repository/)
})

test('what is no public repository is refused', () => {
  for (const text of [
    '',
    'hello',
    'https://forge.example',
    'https://forge.example/hello',
    'ftp://forge.example/a/b',
    'file:///etc/passwd',
    'ssh://git@forge.example/a/b',
    'git@forge.example:octo/hello',
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
  const text = fc.oneof(fc.string({ maxLength: 600 }), fc.webUrl({ withFragments: true, withQueryParameters: true }))
  fc.assert(
    fc.property(text, (pasted) => {
      const found = parseRepository(pasted, forges)
      if (isRefusal(found)) return assert.ok(found.sentence.length > 0)
      assert.deepEqual(parseRepository(found.url, forges), found)
    }),
    { numRuns: runs },
  )
})
