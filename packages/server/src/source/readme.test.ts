import assert from 'node:assert/strict'
import test from 'node:test'
import type { Listing } from './fetched.ts'
import { licenceOf, readLicence } from './licence.ts'
import { findReadme, renderReadme } from './readme.ts'
import { CASES, fuzz } from './testing.ts'

const html = (text: string, name = 'README.md') => renderReadme({ name, text }).html
const listing = (files: Record<string, string>): Listing => ({
  files: new Map(Object.entries(files)),
  paths: new Set(Object.keys(files)),
  lockfiles: new Map(),
})
const fetched = (files: Record<string, string>, top = files) => ({ ...listing(files), top: listing(top) })

const ALLOWED = new Set(
  'p blockquote ul ol li table thead tbody tr th td em strong s a code pre br hr h3 h4 h5 h6'.split(' '),
)
const TAG =
  /<(\/?)([a-z][a-z0-9]*)((?: (?:href="https?:\/\/[^"<>\s]*"|rel="nofollow ugc noopener"|start="\d{1,15}"))*)>/y

/** Reads the whole text as a browser would; throws on whatever is not on the list, or is not closed. */
function mustBeHarmless(text: string): void {
  const open: string[] = []
  for (let at = 0; at < text.length;) {
    if (text[at] !== '<') {
      assert.ok(text[at] !== '>' && text[at] !== '"', `a bare ${text[at]} at ${at}`)
      if (text[at] === '&') assert.match(text.slice(at, at + 8), /^&(?:amp|lt|gt|quot|#39);/)
      at++
      continue
    }
    TAG.lastIndex = at
    const [tag = '', closing, name = '', attributes = ''] = TAG.exec(text) ?? []
    assert.ok(tag !== '' && ALLOWED.has(name), `${text.slice(at, at + 80)} at ${at}`)
    if (name === 'a' && !closing) assert.match(attributes, /^ href="https?:\/\/.* rel="nofollow ugc noopener"$/)
    else assert.match(attributes, name === 'ol' ? /^(?: start="\d+")?$/ : /^$/)
    if (closing) assert.equal(open.pop(), name)
    else if (name !== 'br' && name !== 'hr') open.push(name)
    at += tag.length
  }
  assert.deepEqual(open, [])
}

test('a README is headings, paragraphs, lists, tables, code and links, below the page’s own headings', () => {
  const found = html(
    '# Title\n\nSome *words* and `code`, [a link](https://example.org/x?a=1&b=2).\n\n3. one\n\n|a|b|\n|-|-|\n|1|2|\n\n```js\nlet a = "<b>"\n```\n',
  )
  assert.match(found, /^<h3>Title<\/h3>/)
  assert.match(found, /<a href="https:\/\/example\.org\/x\?a=1&amp;b=2" rel="nofollow ugc noopener">a link<\/a>/)
  assert.match(found, /<ol start="3"><li>one<\/li>/)
  assert.match(found, /<td>2<\/td>/)
  assert.match(found, /<pre><code>let a = &quot;&lt;b&gt;&quot;\n<\/code><\/pre>/)
  mustBeHarmless(found)
})

test('images become their words, and relative links words alone', () => {
  assert.equal(
    html('![A logo](https://evil.example/pixel.png) [docs](./docs/a.md) [x](#top)'),
    '<p>A logo docs x</p>\n',
  )
})

test('raw HTML keeps its words and loses everything else', () => {
  assert.equal(html('<p align="center"><img src=x onerror=alert(1)> <b>Cool</b> app</p>'), '<p>Cool app</p>\n')
  assert.equal(html('a <b onclick="x">bold</b> word'), '<p>a bold word</p>\n')
  assert.equal(html('<script>alert(1)</script>\n\nafter'), '<p>after</p>\n')
  assert.equal(html('<style>body{display:none}</style>'), '')
  assert.equal(html('<!-- note -->'), '')
})

/** What has broken other sanitisers. */
const ATTACKS = [
  '[x](javascript:alert(1))',
  '[x](JaVaScRiPt:alert(1))',
  '[x](java\nscript:alert(1))',
  '[x](&#106;avascript:alert(1))',
  '[x](data:text/html;base64,PHNjcmlwdD4=)',
  '[x](vbscript:x)',
  '[x](//evil.example/x)',
  '[x](https://user:word@evil.example/)',
  '[x](https://e.example/"onmouseover="alert(1))',
  '[x](<https://e.example/a"b>)',
  "[x](https://e.example/ 'title\"><script>')",
  '![x](x"onerror="alert(1))',
  '![x"><script>alert(1)</script>](y)',
  '<https://e.example/"><script>alert(1)</script>>',
  '<javascript:alert(1)>',
  '<a href="javascript:alert(1)">x</a>',
  '<svg/onload=alert(1)>',
  '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
  '<math><mi//xlink:href="data:x,<script>alert(1)</script>">',
  '<img src=x onerror=alert(1)//',
  '<x <script>alert(1)</script>',
  '<style>@import "https://evil.example/x.css"</style>',
  '<link rel=stylesheet href=//evil.example>',
  '<meta http-equiv=refresh content="0;url=https://evil.example">',
  '<base href=https://evil.example/>',
  '<form action=https://evil.example><input type=password></form>',
  '```"><script>\nx\n```',
  '`<script>`',
  '# <script>alert(1)</script>',
  '|<script>|\n|-|\n|</td><script>|',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
  '&#x3c;script&#x3e;',
  '[a]: javascript:x\n\n[a]',
  '[a]: https://e.example/ "\'><script>"\n\n[a]',
  '\u202Eevil\u202C',
  'a\0b<\0script>',
  '<![CDATA[<script>]]>',
  '<?php x ?>',
  '- [ ] <b>\n  > <i',
  '<a\nhref=x>y',
  '</p></div></section><h1>ours</h1>',
]

test('what has broken other sanitisers is harmless here', () => {
  for (const attack of ATTACKS) {
    const found = html(attack)
    mustBeHarmless(found)
    assert.doesNotMatch(found, /<script|<img|<style|\son\w+="|href="(?!https?:)/i, attack)
    assert.doesNotMatch(found, /[\u202A-\u202E\u2066-\u2069\0]/, attack)
    mustBeHarmless(html(attack, 'README.txt'))
  }
})

test('any README is harmless, well formed and bounded', () => {
  const corpus = [
    ...ATTACKS,
    '# a\n\n- b\n  1. c\n> d\n\n```\ne\n```\n|f|g|\n|-|:-:|\n|h|i|\n\n[j](https://k.example) **l** ~~m~~ `n`\n***\n',
  ]
  const words = [
    '<',
    '>',
    '[',
    '](',
    '![',
    '**',
    '_',
    '`',
    '```',
    '\n> ',
    '\n- ',
    '\n1. ',
    '|',
    '\n|-|\n',
    '<a ',
    'javascript:',
    '&#',
    '\n\n',
    '~~',
  ]
  fuzz({ corpus, words, cases: CASES }, (text) => mustBeHarmless(html(text)))
})

test('READMEs that are made to be slow or to grow are not', () => {
  const units = [
    '*_',
    '[',
    '![[',
    '~',
    '`',
    '`a``b',
    '> ',
    '- ',
    '<a ',
    '<!--',
    '[a](',
    '\\',
    '&amp',
    '**a ',
    'a**b*c',
    '[a]: b\n',
    '[a][b]',
    '1) ',
    '*a_ ',
    '#',
    '\n> -\n',
    '[](<',
    'a\n=\n',
    '|\n|-|\n',
    '|',
    '\t- a\n',
    '[a](b "',
  ]
  const texts = [
    ...units.map((unit) => unit.repeat(65_536 / unit.length)),
    `${'|a'.repeat(8000)}\n${'|-'.repeat(8000)}\n${'|x\n'.repeat(8000)}`,
    `[a]: https://e.example/${'x'.repeat(1500)}\n\n${'[a]\n\n'.repeat(10_000)}`,
    Array.from({ length: 350 }, (_, at) => `${' '.repeat(at)}- x`).join('\n'),
    `${'x'.repeat(50)}\n`.repeat(100_000),
  ]
  for (const text of texts) {
    const before = performance.now()
    const found = renderReadme({ name: 'README.md', text })
    const tookMs = performance.now() - before
    assert.ok(found.html.length <= 6 * 65_536 + 600_000, `${text.slice(0, 20)}: ${found.html.length} characters`)
    assert.ok(tookMs < 4000, `${JSON.stringify(text.slice(0, 20))} took ${Math.round(tookMs)} ms`)
    mustBeHarmless(found.html)
  }
  assert.equal(renderReadme({ name: 'README.md', text: 'x\n'.repeat(100_000) }).cut, true)
})

test('the folder’s README comes first, and Markdown before plain text', () => {
  assert.equal(findReadme(fetched({ 'README.txt': 'a', 'Readme.md': 'b' }))?.name, 'Readme.md')
  assert.equal(findReadme(fetched({}, { 'README.rst': 'top' }))?.text, 'top')
  assert.equal(findReadme(fetched({ 'README.md.bak': 'x' })), null)
  assert.equal(html('a *b*', 'README.rst'), '<pre>a *b*</pre>')
})

const MIT =
  'MIT License\n\nCopyright (c) 2026 A\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\nof this software … The above copyright notice and this permission notice shall be included'

test('a licence is known by its words, else by the manifest', () => {
  assert.equal(licenceOf(MIT), 'MIT')
  assert.equal(licenceOf('                    GNU GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007'), 'GPL-3.0')
  assert.equal(
    licenceOf('GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007\n … GNU General Public License'),
    'AGPL-3.0',
  )
  assert.equal(licenceOf('Apache License\n Version 2.0, January 2004'), 'Apache-2.0')
  assert.equal(licenceOf('All rights reserved.'), null)
  const of = (files: Record<string, string>) => readLicence(fetched(files))
  assert.deepEqual(of({ LICENSE: MIT, 'package.json': '{"license":"ISC"}' }), { spdx: 'MIT', file: 'LICENSE' })
  assert.deepEqual(of({ 'package.json': '{"license":"(MIT OR Apache-2.0)"}' }), {
    spdx: '(MIT OR Apache-2.0)',
    file: 'package.json',
  })
  assert.deepEqual(of({ 'pyproject.toml': '[project]\nlicense = {text = "BSD-3-Clause"}\n' }), {
    spdx: 'BSD-3-Clause',
    file: 'pyproject.toml',
  })
  assert.deepEqual(of({ 'LICENSE.md': 'Mine.', 'package.json': '{"license":"UNLICENSED"}' }), {
    spdx: null,
    file: 'LICENSE.md',
  })
  assert.equal(of({ 'package.json': '{"license":"<b>"}' }), null)
  assert.equal(of({}), null)
})

test('any licence file and manifest give an SPDX id or none', () => {
  const corpus = [
    MIT,
    '{"license":"MIT"}',
    '{"license":{"type":"ISC"}}',
    'license = "MIT"',
    'license = { text = "MIT" }',
  ]
  fuzz({ corpus, words: ['"license"', ' OR ', 'version 3', '('] }, (text) => {
    const found = readLicence(fetched({ LICENSE: text, 'package.json': text, 'pyproject.toml': text }))
    if (found?.spdx != null) assert.match(found.spdx, /^[A-Za-z0-9.+() -]{1,600}$/)
  })
})
