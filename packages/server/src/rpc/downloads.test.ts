import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { FakeClock } from '../clock.ts'
import { openDownloads } from './downloads.ts'

const ORIGIN = 'http://127.0.0.1:8080'

test('a ticket fetches its file, whole and with its digest, until it ends; nothing else does', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'perennial-downloads-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const bytes = randomBytes(3_000_000)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const source = join(folder, 'archive')
  writeFileSync(source, bytes)
  const clock = new FakeClock()
  const downloads = openDownloads({ clock })
  const get = (path: string, method = 'GET') => {
    const url = new URL(path, ORIGIN)
    return downloads.answer({ request: new Request(url, { method }), url, address: '127.0.0.1' })
  }
  const { path } = downloads.offer({ source, name: 'hello.tar.gz', sizeBytes: bytes.length, sha256 })
  assert.match(path, /^\/downloads\/[\w-]{43}$/)
  const answer = (await get(path))!
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-disposition'), 'attachment; filename="hello.tar.gz"')
  assert.equal(answer.headers.get('repr-digest'), `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`)
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), bytes)
  for (const other of [`${path}x`, `${path.slice(0, -1)}`, '/downloads/', '/downloads/../archive', `${path}/../x`])
    assert.notEqual((await get(other))?.status ?? 404, 200, other)
  assert.equal((await get(path, 'POST'))?.status, 405)
  assert.equal(await get('/ledger'), null)
  await clock.advance(10 * 60_000)
  assert.equal((await get(path))?.status, 404)
  const gone = downloads.offer({ source: join(folder, 'no-such'), name: 'x', sizeBytes: 1, sha256 })
  assert.equal((await get(gone.path))?.status, 404)
})

test('tickets that nobody fetched do not pile up', () => {
  const clock = new FakeClock()
  const downloads = openDownloads({ clock })
  const paths = Array.from({ length: 3000 }, () => downloads.offer({ source: '/none', name: 'x', sizeBytes: 1, sha256: '' }).path) // prettier-ignore
  assert.equal(new Set(paths).size, 3000)
})
