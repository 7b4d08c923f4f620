import assert from 'node:assert/strict'
import test from 'node:test'
import { fuzz } from '../testing/fuzz.ts'
import { findListed, formatListing } from './listing.ts'
import { MalformedDocument, ORIGIN } from './malformed.ts'
import { readProject } from './python-document.ts'
import { normalised, parsePythonPath, PREFIX } from './python-path.ts'

const sha256 = 'ab'.repeat(32)
const html = 'text/html; charset=utf-8'
const json = 'application/vnd.pypi.simple.v1+json'
const page = { project: 'plum-jam', url: 'https://index.example/simple/plum-jam/' }
const FILE = 'plum_jam-2.0-py3-none-any.whl'
const SAMPLES = {
  html: [
    `<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.1"><base href="/x/"></head><body>
     <!-- <a href="commented-1.0.tar.gz#sha256=${sha256}">x</a> -->
     <a href="../../packages/${FILE}#sha256=${sha256}" data-requires-python="&gt;=3.6" data-yanked="broken &amp; old"
        data-core-metadata='sha256=${sha256}'>${FILE}</a><br/>
     <A HREF=https://files.example/plum_jam-2.0.tar.gz#sha256=${sha256}>sdist</A>
     <a href="plum_jam-1.0.tar.gz">without a hash</a></body></html>`,
  ],
  json: [
    JSON.stringify({
      meta: { 'api-version': '1.1' },
      name: 'Plum_Jam',
      files: [
        {
          filename: FILE,
          url: `https://files.example/${FILE}`,
          hashes: { sha256, md5: 'ab' },
          'requires-python': '>=3.6',
          yanked: 'broken & old',
          'core-metadata': { sha256 },
          size: 3,
          'upload-time': '2026-01-01T00:00:00Z',
        },
        { filename: 'plum_jam-1.0.tar.gz', url: 'x', hashes: {} },
      ],
    }),
  ],
}

test('whatever an index answers is either refused or leads to the door alone, in both forms', () => {
  let read = 0
  const tokens = [
    '<a ',
    'href="',
    "'",
    '"',
    '>',
    '<!--',
    '-->',
    '&#x41;',
    '&#99999999;',
    '#sha256=',
    '..',
    '%2f',
    '{}',
    'null',
    'file:///',
    '\\u0000',
    '"files":[',
    '\n\t',
  ]
  fuzz({ samples: [...SAMPLES.html, ...SAMPLES.json], tokens }, (text) => {
    try {
      const { texts, files } = readProject(text, { ...page, contentType: text.startsWith('{') ? json : html })
      read++
      const document = JSON.parse(texts.json) as { files: { url: string; filename: string }[] }
      for (const { url, filename } of document.files) {
        assert.equal(url, `${ORIGIN}${PREFIX}files/plum-jam/${filename}`)
        assert.deepEqual(parsePythonPath(url.slice(ORIGIN.length)), { project: 'plum-jam', file: filename })
      }
      // What the door writes is read by its own parser as the same, so no name or word breaks out of its place.
      const again = readProject(texts.html, { ...page, contentType: html })
      const essence = ({ json: its }: { json: string }) => its.replaceAll(/,"(size|upload-time)":("[^"]*"|\d+)/g, '')
      assert.deepEqual(JSON.parse(essence(again.texts)), JSON.parse(essence(texts)))
      const listing = Buffer.from(formatListing(files))
      for (const [file, listed] of files) assert.deepEqual(findListed(listing, file, 'plum-jam'), listed)
    } catch (error) {
      if (!(error instanceof MalformedDocument)) throw error
    }
  })
  assert.ok(read > 1000, `${read} were pages still`)
})

test('both forms of a page say the same, and a file without a hash is left out', () => {
  const from = (text: string, contentType: string) => {
    const { texts, files } = readProject(text, { ...page, contentType })
    return { page: JSON.parse(texts.json) as { files: { filename: string }[] }, files, html: texts.html }
  }
  const ofHtml = from(SAMPLES.html[0] ?? '', html)
  const ofJson = from(SAMPLES.json[0] ?? '', json)
  assert.deepEqual(ofHtml.page.files, [
    {
      filename: FILE,
      url: `${ORIGIN}${PREFIX}files/plum-jam/${FILE}`,
      hashes: { sha256 },
      'requires-python': '>=3.6',
      yanked: 'broken & old',
      'core-metadata': { sha256 },
    },
    {
      filename: 'plum_jam-2.0.tar.gz',
      url: `${ORIGIN}${PREFIX}files/plum-jam/plum_jam-2.0.tar.gz`,
      hashes: { sha256 },
    },
  ])
  assert.deepEqual(
    ofJson.page.files.map(({ filename }) => filename),
    [FILE],
  )
  assert.equal(ofHtml.files.get(FILE)?.url, `https://index.example/packages/${FILE}`, '`..` of the base’s /x/')
  assert.equal(ofHtml.files.get(`${FILE}.metadata`)?.url, `https://index.example/packages/${FILE}.metadata`)
  assert.match(ofJson.html, /data-yanked="broken &amp; old" data-core-metadata="sha256=abab/)
})

test('a page of another project, or of another version of the interface, is refused', () => {
  for (const [text, contentType] of [
    [SAMPLES.json[0]?.replace('Plum_Jam', 'pear') ?? '', json],
    [SAMPLES.json[0]?.replace('"1.1"', '"2.0"') ?? '', json],
    [SAMPLES.html[0]?.replace('"1.1"', '"2.0"') ?? '', html],
    ['[]', json],
    ['{', json],
  ] as const)
    assert.throws(() => readProject(text, { ...page, contentType }), MalformedDocument)
})

test('a page made to be slow is read in time that grows with its length', () => {
  const shapes = ['<a ', '<a b="', "<a b='<a ", '<a         ', '<!--', '<a href=x ', '&#', '<base href="', '<a b =  ']
  for (const shape of shapes) {
    const text = shape.repeat(Math.ceil(2 ** 20 / shape.length))
    const from = performance.now()
    readProject(text, { ...page, contentType: html })
    const ms = performance.now() - from
    assert.ok(ms < 5000, `${JSON.stringify(shape)}: ${ms} ms for 1 MiB`)
  }
})

test('a path of the index is one project and at most one file', () => {
  const samples = [
    `${PREFIX}simple/plum-jam/`,
    `${PREFIX}files/plum-jam/${FILE}`,
    `${PREFIX}files/plum-jam/${FILE}.metadata`,
    `${PREFIX}files/a/a-1.0%2Bcpu-1!2.tar.gz`,
  ]
  let read = 0
  fuzz(
    { samples, tokens: ['/', '..', '%2f', '%', '.whl', '.metadata', '-', '_', 'A', '?', '#', '\\', ' '] },
    (text) => {
      const found = parsePythonPath(text)
      if (!found) return
      read++
      assert.match(found.project, /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/)
      assert.equal(normalised(found.project), found.project)
      if (found.file !== undefined)
        assert.match(found.file, /^\w[\w.+!-]*\.(whl|tar\.gz|zip|tgz|tar\.bz2)(\.metadata)?$/)
    },
  )
  assert.ok(read > 1000, `${read} were paths still`)
})
