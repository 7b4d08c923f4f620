import assert from 'node:assert/strict'
import test from 'node:test'
import { fuzz } from '../testing/fuzz.ts'
import { findListed, formatListing } from './listing.ts'
import { MalformedDocument, ORIGIN } from './malformed.ts'
import { readPackument, readVersion } from './npm-document.ts'
import { parseNpmPath, versionOf } from './npm-path.ts'

const integrity = `sha512-${Buffer.alloc(64, 1).toString('base64')}`
const shasum = 'b'.repeat(40)
const version = (dist: object, rest: object = {}) => ({ name: '@a/b', version: '1.0.0', dist, ...rest })
const about = (versions: unknown, rest: object = {}) => JSON.stringify({ name: '@a/b', versions, ...rest })
const tarball = 'https://x/@a/b/-/b-1.0.0.tgz'

test('whatever a registry answers is either refused or leads to the door alone', () => {
  const good = { tarball, integrity, shasum }
  const samples = [
    about({ '1.0.0': version(good), '2.0.0': version({ tarball, shasum }) }),
    about(Object.fromEntries([['__proto__', version(good)]]), { time: {}, readme: '"tarball":"http://x"' }),
    JSON.stringify(version(good)),
    about({ '1.0.0': version({ tarball: 'file:///etc/passwd', integrity }) }),
  ]
  const tokens = ['"dist":', '{}', '[]', 'null', '"', '\\u0000', '\\n\\t', '..', '/', integrity, '"versions":', '1e999']
  let read = 0
  fuzz({ samples, tokens }, (text) => {
    for (const parse of [
      () => readPackument(text, { name: '@a/b', form: 'short' }),
      () => readPackument(text, { name: '@a/b', form: 'full' }),
      () => readVersion(text, '@a/b'),
    ])
      try {
        const found = parse()
        read++
        const document = JSON.parse(found.text) as { versions?: Record<string, unknown> }
        for (const one of document.versions ? Object.values(document.versions) : [document])
          assert.ok((one as { dist: { tarball: string } }).dist.tarball.startsWith(`${ORIGIN}/@a/b/-/`))
        const listing = Buffer.from(formatListing(found.files))
        for (const [file, listed] of found.files) {
          assert.deepEqual(findListed(listing, file, '@a/b'), listed)
          assert.deepEqual(parseNpmPath(`/@a/b/-/${file}`), { name: '@a/b', file })
        }
      } catch (error) {
        if (!(error instanceof MalformedDocument)) throw error
      }
  })
  assert.ok(read > 1000, `${read} were documents still`)
})

test('of several digests the strongest counts, and one that has only SHA-1 belongs to its own name', () => {
  const digests = (dist: object) =>
    readPackument(about({ '1.0.0': version({ tarball, ...dist }) }), { name: '@a/b', form: 'short' }).files.get(
      'b-1.0.0.tgz',
    )?.digest
  assert.deepEqual(digests({ integrity: `sha1-abc ${integrity}`, shasum }), {
    algorithm: 'sha512',
    hex: '01'.repeat(64),
  })
  const sha384 = `sha384-${Buffer.alloc(48, 2).toString('base64')}`
  assert.deepEqual(digests({ integrity: sha384, shasum }), { algorithm: 'sha384', hex: '02'.repeat(48) })
  assert.deepEqual(digests({ shasum }), { algorithm: 'sha1', hex: shasum, of: '@a/b/-/b-1.0.0.tgz' })
  assert.equal(digests({ integrity: 'md5-abc' }), undefined)
})

test('the short form has what installing needs, made from the full one where a registry has no other', () => {
  const full = about(
    {
      '1.0.0': version(
        { tarball, integrity },
        { dependencies: { c: '1' }, scripts: { install: 'x', test: 'y' }, readme: 'long', _npmUser: {}, os: ['linux'] },
      ),
    },
    { 'dist-tags': { latest: '1.0.0' }, readme: 'long', time: { modified: '2026-01-01T00:00:00Z', '1.0.0': '2025' } },
  )
  assert.deepEqual(JSON.parse(readPackument(full, { name: '@a/b', form: 'short' }).text), {
    name: '@a/b',
    'dist-tags': { latest: '1.0.0' },
    modified: '2026-01-01T00:00:00Z',
    versions: {
      '1.0.0': {
        name: '@a/b',
        version: '1.0.0',
        dist: { tarball: `${ORIGIN}/@a/b/-/b-1.0.0.tgz`, integrity },
        dependencies: { c: '1' },
        hasInstallScript: true,
        os: ['linux'],
      },
    },
  })
  const kept = JSON.parse(readPackument(full, { name: '@a/b', form: 'full' }).text) as { time: object; readme: string }
  assert.deepEqual(kept.time, { modified: '2026-01-01T00:00:00Z', '1.0.0': '2025' })
})

test('a path is one package, at most one version or file, without escapes or dots in front', () => {
  const samples = [
    '/is-number',
    '/@types%2fnode',
    '/@types/node/-/node-1.0.0-beta.1.tgz',
    '/@types/node/-/@types/node-1.0.0.tgz',
    '/is-number/7.0.0%2Bbuild',
  ]
  let read = 0
  fuzz({ samples, tokens: ['/', '..', '%2f', '%2F', '%', '%00', '@', '-', '.tgz', '?', '#', '\\', ' '] }, (text) => {
    const found = parseNpmPath(text)
    if (!found) return
    read++
    assert.match(found.name, /^(@[\w~][\w.~-]*\/)?[\w~][\w.~-]*$/)
    if (found.file !== undefined) assert.match(found.file, /^[\w~][\w.~+-]*\.tgz$/)
    if (found.version !== undefined) assert.match(found.version, /^\w[\w.+-]*$/)
  })
  assert.ok(read > 1000, `${read} were paths still`)
  assert.deepEqual(parseNpmPath('/@types%2Fnode'), { name: '@types/node' })
  assert.deepEqual(parseNpmPath('/@types/node/latest'), { name: '@types/node', version: 'latest' })
  const file = { name: '@types/node', file: 'node-1.0.0-beta.1.tgz' }
  assert.deepEqual(parseNpmPath('/@types/node/-/node-1.0.0-beta.1.tgz'), file)
  assert.equal(versionOf(file.name, file.file), '1.0.0-beta.1')
  assert.equal(versionOf('a', 'b-1.0.0.tgz'), null)
})
