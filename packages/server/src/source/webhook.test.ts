import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import test from 'node:test'
import { isRefusal } from '@perennial/protocol'
import { fuzz } from './testing.ts'
import { Deliveries, LONGEST_DELIVERY_BYTES, readWebhook } from './webhook.ts'

const SECRET = 'a secret of the app, long enough'
const COMMIT = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'
const GITHUB = JSON.stringify({
  ref: 'refs/heads/main',
  after: COMMIT,
  repository: { clone_url: 'https://forge.example/octo/hello.git' },
})
const GITLAB = JSON.stringify({
  object_kind: 'tag_push',
  ref: 'refs/tags/v1',
  after: '1'.repeat(40),
  checkout_sha: COMMIT,
  project: { git_http_url: 'https://lab.example/group/hello.git' },
})
const hmac = (body: string, secret = SECRET) => createHmac('sha256', secret).update(body).digest('hex')
const read = (body: string, headers: Record<string, string>) =>
  readWebhook({ headers: new Headers(headers), body: Buffer.from(body) }, SECRET)
const push = (body: string, more: Record<string, string> = {}) =>
  read(body, { 'x-github-event': 'push', 'x-hub-signature-256': `sha256=${hmac(body)}`, ...more })

test('pushes of each forge are read: what was pushed, and which commit it is now', () => {
  const expected = {
    kind: 'push',
    ref: 'refs/heads/main',
    commit: COMMIT,
    repository: 'https://forge.example/octo/hello.git',
  }
  const forges: Record<string, string>[] = [
    { 'x-github-event': 'push', 'x-hub-signature-256': `sha256=${hmac(GITHUB)}` },
    { 'x-gitea-event': 'push', 'x-gitea-signature': hmac(GITHUB) },
    { 'x-forgejo-event': 'push', 'x-forgejo-signature': hmac(GITHUB) },
    { 'x-gitlab-event': 'Push Hook', 'x-gitlab-token': SECRET },
  ]
  for (const headers of forges) {
    const { id, ...found } = read(GITHUB, headers) as { id: string }
    assert.deepEqual(found, expected, Object.keys(headers).join())
    assert.match(id, /^[0-9a-f]{64}$/)
  }
  const tag = read(GITLAB, { 'x-gitlab-event': 'Tag Push Hook', 'x-gitlab-token': SECRET })
  assert.ok(!isRefusal(tag) && tag.kind === 'push')
  assert.deepEqual(
    [tag.ref, tag.commit, tag.repository],
    ['refs/tags/v1', COMMIT, 'https://lab.example/group/hello.git'],
  )
})

test('a form that holds the JSON, a deleted branch, and a forge that tries the address out', () => {
  const form = `payload=${encodeURIComponent(GITHUB)}`
  const found = push(form, { 'content-type': 'application/x-www-form-urlencoded' })
  assert.ok(!isRefusal(found) && found.kind === 'push' && found.commit === COMMIT)
  const gone = push(JSON.stringify({ ref: 'refs/heads/old', after: '0'.repeat(40) }))
  assert.ok(!isRefusal(gone) && gone.kind === 'push' && gone.commit === null)
  const ping = push('{"zen":"x"}', { 'x-github-event': 'ping' })
  assert.ok(!isRefusal(ping) && ping.kind === 'ping')
})

test('whoever does not have the secret is refused before anything is read', () => {
  const refused = (headers: Record<string, string>, body = GITHUB) => {
    const found = read(body, { 'x-github-event': 'push', ...headers })
    assert.ok(isRefusal(found) && found.refusal === 'access-denied', JSON.stringify(headers))
  }
  refused({})
  refused({ 'x-hub-signature-256': '' })
  refused({ 'x-hub-signature-256': `sha256=${hmac(GITHUB, 'another secret of 16')}` })
  refused({ 'x-hub-signature-256': `sha256=${hmac(GITHUB)}` }, GITHUB.replace('main', 'evil'))
  refused({ 'x-hub-signature-256': `sha1=${hmac(GITHUB)}` })
  refused({ 'x-gitlab-token': `${SECRET} ` + 'x' })
  refused({ 'x-gitlab-token': '' })
  // A signature that does not hold is not made good by a token beside it.
  refused({ 'x-hub-signature-256': 'sha256=00', 'x-gitlab-token': SECRET })
  const none = readWebhook({ headers: new Headers({ 'x-gitlab-token': '' }), body: Buffer.from(GITHUB) }, '')
  assert.ok(isRefusal(none))
})

test('other events, other refs and too much of anything are refused in words', () => {
  const said = (found: ReturnType<typeof push>) => (isRefusal(found) ? found.sentence : 'read')
  assert.match(said(push(GITHUB, { 'x-github-event': 'issues' })), /Only pushes/)
  assert.match(said(push(GITHUB.replace('refs/heads/main', 'refs/pull/1/head'))), /names no branch/)
  assert.match(said(push(GITHUB.replace('refs/heads/main', 'refs/heads/../x'))), /names no branch/)
  assert.match(said(push('[]')), /names no branch/)
  assert.match(said(push('x'.repeat(LONGEST_DELIVERY_BYTES + 1))), /at most 2 MiB/)
})

test('a delivery that is sent again is known, and the memory of them has a bound', () => {
  const seen = new Deliveries({ apps: 3, ids: 4 })
  assert.deepEqual([seen.take('a', '1'), seen.take('a', '1'), seen.take('b', '1')], [true, false, true])
  for (let at = 2; at < 100; at++) assert.ok(seen.take('a', String(at)))
  assert.ok(seen.take('a', '1'), 'forgotten after four others')
  for (let at = 0; at < 100; at++) seen.take(`app${at}`, '1')
  assert.ok(seen.take('b', '1'), 'forgotten after three other apps')
})

test('any body that is signed is a push, a ping or a refusal; any signature but the right one is refused', () => {
  const right = hmac(GITHUB)
  fuzz(
    {
      corpus: [GITHUB, GITLAB, `payload=${encodeURIComponent(GITHUB)}`, '{}'],
      words: ['"ref"', 'refs/heads/', '"after"', '0'.repeat(40)],
    },
    (text) => {
      const found = push(
        text,
        text.startsWith('payload') ? { 'content-type': 'application/x-www-form-urlencoded' } : {},
      )
      if (!isRefusal(found) && found.kind === 'push') {
        assert.match(found.ref, /^refs\/(?:heads|tags)\/[A-Za-z0-9_@]/)
        assert.match(found.commit ?? COMMIT, /^[0-9a-f]{40,64}$/)
      }
    },
  )
  fuzz({ corpus: [right, `sha256=${right}`, SECRET], words: ['sha256='] }, (text) => {
    const value = text.replace(/[^\x20-\x7e]/g, '').trim()
    const bare = value.toLowerCase().replace(/^sha256=/, '')
    const found = read(GITHUB, { 'x-github-event': 'push', 'x-hub-signature-256': value })
    assert.equal(isRefusal(found), bare !== right)
  })
})
