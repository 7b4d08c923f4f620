import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { parsePackagePath } from './package-path.ts'
import { formatTarballs, MalformedPackument, ORIGIN, parsePackument, parseTarballs } from './packument.ts'

const runs = 300 * Number(process.env['TEST_SCALE'] ?? 1)
const integrity = `sha512-${Buffer.alloc(64, 1).toString('base64')}`
const about = (versions: unknown) => JSON.stringify({ name: '@a/b', versions })

test('whatever a registry answers is either refused or leads to the door alone', () => {
  const dist = fc.record(
    {
      tarball: fc.oneof(
        fc.webUrl(),
        fc.constantFrom('https://x/@a/b/-/b-1.0.0.tgz', 'file:///etc/passwd', 'https://x/@a/b/-/../b.tgz'),
        fc.anything(),
      ),
      integrity: fc.oneof(fc.constant(integrity), fc.string()),
      shasum: fc.oneof(fc.constant('a'.repeat(40)), fc.string()),
    },
    { requiredKeys: [] },
  )
  const versions = fc.dictionary(
    fc.oneof(fc.constant('__proto__'), fc.string({ maxLength: 8 })),
    fc.oneof(fc.record({ dist }), fc.anything()),
  )
  fc.assert(
    fc.property(fc.oneof(versions.map(about), fc.json(), fc.string()), (text) => {
      try {
        const found = parsePackument(text, '@a/b')
        for (const version of Object.values(JSON.parse(found.text).versions) as { dist: { tarball: string } }[])
          assert.ok(version.dist.tarball.startsWith(`${ORIGIN}/@a/b/-/`))
        assert.deepEqual(parseTarballs(formatTarballs(found.tarballs)), found.tarballs)
      } catch (error) {
        if (!(error instanceof MalformedPackument)) throw error
      }
    }),
    { numRuns: runs },
  )
})

test('of several digests the strongest counts', () => {
  const dist = { tarball: 'https://x/b-1.0.0.tgz', integrity: `sha1-abc ${integrity}`, shasum: 'b'.repeat(40) }
  const found = parsePackument(about({ '1.0.0': { dist } }), '@a/b').tarballs.get('b-1.0.0.tgz')
  assert.deepEqual(found?.digest, { algorithm: 'sha512', hex: '01'.repeat(64) })
})

test('a path of the package door is one package and at most one file, without escapes or dots in front', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ maxLength: 80 }), fc.webPath()).map((text) => (text.startsWith('/') ? text : `/${text}`)),
      (text) => {
        const found = parsePackagePath(text)
        if (!found) return
        assert.match(found.name, /^(@[\w~][\w.~-]*\/)?[\w~][\w.~-]*$/)
        if (found.file !== undefined) assert.match(found.file, /^[\w~][\w.~+-]*\.tgz$/)
      },
    ),
    { numRuns: runs },
  )
  assert.deepEqual(parsePackagePath('/@types%2Fnode'), { name: '@types/node' })
  assert.deepEqual(parsePackagePath('/@types/node/-/node-1.0.0-beta.1.tgz'), {
    name: '@types/node',
    file: 'node-1.0.0-beta.1.tgz',
  })
})
