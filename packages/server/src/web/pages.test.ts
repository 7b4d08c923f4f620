import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatDecimals, METERS, parseAmount } from '@perennial/protocol'
import * as f from './fixtures.ts'
import * as books from './fixtures-books.ts'
import { html } from './html.ts'
import { appPage } from './pages/app.ts'
import { deploymentPage } from './pages/deployment.ts'
import { frontPage, today } from './pages/front.ts'
import { ledgerPage } from './pages/ledger.ts'
import { pricesPage } from './pages/prices.ts'
import { problemPage } from './pages/problem.ts'
import { repositoryPage } from './pages/repository.ts'
import { restingPage, unknownHostPage } from './pages/resting.ts'
import { statementPage } from './pages/statement.ts'
import { badge } from './parts/badge.ts'
import { sums } from './parts/figures.ts'
import { logLine } from './parts/log.ts'
import { buys } from './parts/pay-box.ts'
import { daysLeft, paidUntil } from './parts/runway-text.ts'
import type { LogLine } from './views.ts'

const scale = Number(process.env['TEST_SCALE'] ?? 1)

/** Every page there is, with one stranger's text in every place where strangers write. */
function pagesWith(evil: string): string[] {
  const app = {
    ...f.app,
    name: evil,
    owner: evil,
    description: evil,
    repository: `https://forge.example/${encodeURIComponent(evil)}`,
    commit: { hash: '4f9c1e7b', subject: evil, at: f.NOW },
    contributions: f.app.contributions.map((one) => ({ ...one, name: evil })),
    changes: f.app.changes.map((one) => ({ ...one, sentence: evil })),
    instances: f.app.instances.map((one) => ({ ...one, process: evil })),
    deployment: { ...f.deployment, status: 'failed' as const, problem: evil },
  }
  const log: LogLine[] = [{ seq: 1n, at: f.NOW, source: evil, level: 'out', text: evil }]
  const deployment = {
    ...f.deployment,
    app: { ...f.deployment.app, name: evil },
    commit: app.commit,
    problem: evil,
    status: 'failed' as const,
    steps: f.deployment.steps.map((step) => ({ ...step, detail: evil })),
  }
  const apps = f.apps.map((one) => ({ ...one, name: evil, owner: evil, description: evil }))
  const payments = f.payments.map((one) => ({ ...one, name: evil, app: { ...one.app, name: evil } }))
  const estimate = {
    ...f.estimate,
    url: evil,
    forge: evil,
    owner: evil,
    name: evil,
    address: evil,
    app: { ...f.payments[0]!.app, name: evil, state: 'low' as const },
  }
  const notice = { tone: 'bad' as const, fact: evil, rest: evil }
  const pay = { ...f.payForm, other: evil, name: evil, error: evil }
  return [
    frontPage({ ...f.front, apps, payments, refused: { url: evil, sentence: evil } }, f.frame),
    appPage({ about: null, app, pay, log, notice, adminToken: null }, f.frame),
    appPage(
      {
        about: null,
        app: { ...app, mayAdminister: true, stopped: true },
        pay,
        log: [],
        notice: null,
        adminToken: null,
      },
      f.frame,
    ),
    deploymentPage({ deployment, app, log }, f.frame),
    repositoryPage({ estimate, notice }, f.frame),
    statementPage(
      { account: books.account, app, rows: books.rows, names: new Map([[books.account.name, evil]]), older: 3n },
      f.frame,
    ),
    ledgerPage({ shared: [{ account: books.account, title: evil }], apps }, f.frame),
    pricesPage(books.prices, f.frame),
    problemPage({ heading: evil, sentence: evil, nextStep: evil, id: evil }, f.frame),
    restingPage('frozen', { ...app, state: 'frozen' }, f.foreignFrame),
    restingPage('failing', app, f.foreignFrame, evil),
    unknownHostPage(evil, f.foreignFrame),
    badge(app, f.NOW),
  ].map(String)
}

const TAG = /<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z:][\w:-]*(?:="[^"<>]*")?)*)\s*\/?>/y

/** Reads markup strictly: only tags that a template of ours could have written, every attribute in double quotes. */
function parse(markup: string): { tags: string[]; attributes: [string, string][] } {
  const tags: string[] = []
  const attributes: [string, string][] = []
  for (let at = markup.indexOf('<'); at >= 0; at = markup.indexOf('<', at)) {
    if (markup.startsWith('<!doctype html>', at)) {
      at += 15
      continue
    }
    TAG.lastIndex = at
    const found = TAG.exec(markup)
    assert.ok(found, `not a tag of ours: ${markup.slice(at, at + 120)}`)
    tags.push(found[2]!.toLowerCase())
    for (const [, name, value] of found[3]!.matchAll(/([a-zA-Z:][\w:-]*)(?:="([^"]*)")?/g))
      attributes.push([name!.toLowerCase(), value ?? ''])
    at = TAG.lastIndex
  }
  return { tags, attributes }
}

const plain = pagesWith('plain').map(parse)

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '" autofocus onfocus="alert(1)',
  '</title></style></textarea><svg onload=alert(1)>',
  '--><!--<b>',
  ']]>&lt;b&gt;&amp;',
  '\u001B]8;;https://evil.example\u0007click\u001B]8;;\u0007\u001B[2J\u001B[31mred',
  '\u202Egnp.exe\u2066\uFEFF\u0000',
  'javascript:alert(1)',
  '${alert(1)} {{7*7}} `x`',
]

for (const evil of HOSTILE)
  test(`a stranger who is called ${JSON.stringify(evil)} adds no tag and no attribute to any page`, () => {
    for (const [index, page] of pagesWith(evil).entries()) {
      const { tags, attributes } = parse(page)
      assert.deepEqual(tags, plain[index]!.tags)
      assert.deepEqual(
        attributes.map(([name]) => name),
        plain[index]!.attributes.map(([name]) => name),
      )
    }
  })

test('any text at all stays text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }), (evil) => {
      for (const [index, page] of pagesWith(evil).entries()) assert.deepEqual(parse(page).tags, plain[index]!.tags)
    }),
    { numRuns: 20 * scale },
  )
})

test('no page has an inline style, script or handler, and none loads from anywhere else', () => {
  for (const page of pagesWith('x')) {
    const { tags, attributes } = parse(page)
    assert.ok(!tags.includes('style') && !tags.includes('iframe') && !tags.includes('object'))
    for (const [name, value] of attributes) {
      assert.ok(name !== 'style' && !name.startsWith('on'), `${name}="${value}"`)
      if (name === 'src') assert.match(value, /^\/(?!\/)/)
      if (name === 'href')
        assert.match(
          value,
          /^(?:#|\/(?!\/)|https:\/\/forge\.example\/|http:\/\/127\.0\.0\.1:8080\/|http:\/\/[a-z-]+\.localhost:8080$|x$)/,
        )
    }
    assert.ok(!/<script(?![^>]* src=")/.test(page), 'a script without a file')
  }
})

test('a link to a repository is never anything but http', () => {
  const page = String(
    repositoryPage({ estimate: { ...f.estimate, url: 'javascript:alert(1)' }, notice: null }, f.frame),
  )
  assert.ok(!/href="javascript:/i.test(page))
})

test('what an app prints is shown, not obeyed', () => {
  const line = (text: string) => String(logLine({ seq: 1n, at: f.NOW, source: 'web', level: 'out', text }))
  const text = (markup: string) => /<span class="text">(.*)<\/span>/s.exec(markup)![1]!
  assert.equal(text(line('\u001B[32mgreen\u001B[0m')), 'green')
  assert.equal(text(line('\u001B[2J\u0007\ra\r')), '\\x1b[2J\\x07\\x0da')
  assert.ok(!/[\u202A-\u202E\u2066-\u2069]/.test(line('\u202Eabc\u2066')))
  assert.ok(line('x'.repeat(20_000)).length < 3000)
})

test('pages at an app’s address have no form that posts, no token and no script', () => {
  for (const kind of [
    'frozen',
    'archived',
    'stopped',
    'waiting',
    'building',
    'unbuilt',
    'waking',
    'failing',
  ] as const) {
    const page = String(restingPage(kind, f.frozenApp, f.foreignFrame))
    assert.ok(!/method="post"|name="token"|<script/.test(page), kind)
    for (const [, path] of page.matchAll(/(?:href|src|action)="(\/[^"]*)"/g))
      assert.fail(`${kind}: ${path} would be asked of the app`)
  }
})

test('rows of a sum add up as they are shown, or the page is not made', () => {
  const amounts = fc.array(fc.bigInt({ min: 0n, max: 9_999_999_999n }), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(amounts, (rows) => {
      const total = rows.reduce((sum, one) => sum + one, 0n)
      const table = String(
        sums({
          caption: 'x',
          rows: rows.map((amount) => ({ label: 'a', amount })),
          total: { label: 'all', amount: total },
        }),
      )
      const shown = [...table.matchAll(/<td class="r">([\d.,]+)<\/td>/g)].map(([, text]) =>
        parseAmount(text!.replaceAll(',', '')),
      )
      assert.equal(
        shown.slice(0, -1).reduce((sum, one) => sum + one, 0n),
        shown.at(-1),
      )
    }),
    { numRuns: 200 * scale },
  )
  assert.throws(
    () => sums({ caption: 'x', rows: [{ label: 'a', amount: 1n }], total: { label: 'all', amount: 2n } }),
    /sum/,
  )
})

test('money on the front page: what came in is spent, kept or held, to the micro', () => {
  const { totals } = f
  const held = totals.paidIn - totals.spent - totals.commons - totals.allowance
  assert.match(String(today(totals)), new RegExp(`Held for apps now</th>\\s*<td class="r">${formatDecimals(held, 2)}<`))
})

test('the debits of a statement are its credits', () => {
  const page = String(
    statementPage({ account: books.account, app: f.app, rows: books.rows, names: books.names, older: null }, f.frame),
  )
  const amounts = [...page.matchAll(/<span class="exact">([\d.,]+)<span class="tail">([\d\u2007]*)/g)].map(
    ([, head, tail]) => parseAmount((head! + tail!.replaceAll('\u2007', '')).replaceAll(',', '')),
  )
  const moved = books.rows.filter(({ kind }) => kind === 'transfer' || kind === 'post')
  const sum = moved.reduce((total, { amount }) => total + amount, 0n)
  assert.ok(moved.length < books.rows.length, 'a hold is no debit')
  assert.deepEqual(amounts.slice(-2), [sum, sum])
})

test('beyond two years nobody promises a day', () => {
  const far = { earliest: f.days(900), latest: f.days(1200), estimate: false }
  assert.equal(paidUntil(far, f.NOW).replaceAll('\u00a0', ' '), 'after 21 Nov 2028')
  assert.match(daysLeft(far, f.NOW), /^2\u00a0years/)
  assert.equal(paidUntil({ earliest: null, latest: null, estimate: true }, f.NOW), 'no end in sight')
})

test('an app that nobody has paid for says so, instead of a date that nobody paid for', () => {
  const app = {
    ...f.app,
    state: 'thrifty' as const,
    purse: 0n,
    reserve: 0n,
    contributions: [],
    money: { ...f.app.money, payers: 0 },
  }
  const page = String(appPage({ about: null, app, pay: f.payForm, log: [], notice: null, adminToken: null }, f.frame))
  assert.match(page, /nobody has paid yet/)
  assert.ok(!page.includes('Under 3 days of money'))
  assert.match(String(badge(app, f.NOW)), /not paid yet: anyone can/)
})

test('a release whose image was removed says so', () => {
  const said = String(
    appPage({ about: null, app: f.app, pay: f.payForm, log: [], notice: null, adminToken: null }, f.frame),
  ).match(/image removed/g)
  assert.equal(said?.length, f.app.releases.filter(({ removedAt }) => removedAt !== null).length)
})

test('what an amount buys is rounded down', () => {
  const words = (buysSeconds: number | null, more: boolean) => buys({ buysSeconds }, more).replaceAll('\u00a0', ' ')
  assert.equal(words(8 * 86_400 - 1, true), '7 more days')
  assert.equal(words(8 * 86_400 - 1, false), '7 days')
  assert.equal(words(86_400, false), '24 hours')
  assert.equal(words(3599, true), '59 more minutes')
  assert.equal(words(null, true), 'many years')
})

test('a page says its state and its date in its title', () => {
  assert.match(
    String(appPage({ about: null, app: f.app, pay: f.payForm, log: [], notice: null, adminToken: null }, f.frame)),
    /<title>fieldnotes, running, paid until 12.Jan – 7.Feb.2027 · Perennial<\/title>/,
  )
})

test('bars of one day are as high together as their sum', () => {
  assert.equal(f.app.days.length, 30)
  assert.deepEqual(
    f.app.days[0]!.costs.map(({ meter }) => meter),
    [...METERS],
  )
})

test('the sheet is at most 20 kB, and text stands on its ground with enough contrast in both themes', () => {
  const css = readFileSync(new URL('assets/style.css', import.meta.url), 'utf8')
  assert.ok(css.length <= 20_000, `${css.length}`)
  const colours = new Map(
    [...css.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{3,6}), (#[0-9a-f]{3,6})\)/g)].map(([, name, light, dark]) => [
      name!,
      [light!, dark!] as const,
    ]),
  )
  const least: [string, string, number][] = [
    ...['ink', 'soft', 'faint', 'leaf', 'bad', 'low'].map((name): [string, string, number] => [name, 'paper', 4.5]),
    ...['ink', 'soft', 'leaf', 'low', 'faint'].map((name): [string, string, number] => [name, 'sunk', 4.5]),
    ...['ink', 'soft', 'faint', 'bad'].map((name): [string, string, number] => [name, 'sheet', 4.5]),
    ...['low', 'thrifty', 'frozen', 'archived', 'bad'].map((name): [string, string, number] => [
      name,
      `${name}-wash`,
      4.5,
    ]),
    ['leaf', 'wash', 4.5],
    ['ink', 'wash', 4.5],
    ['leaf-on', 'leaf', 4.5],
    ['edge', 'paper', 3],
    ...METERS.map((name): [string, string, number] => [name, 'paper', 3]),
  ]
  for (const [front, ground, ratio] of least)
    for (const theme of [0, 1]) {
      const got = contrast(colours.get(front)![theme]!, colours.get(ground)![theme]!)
      assert.ok(got >= ratio, `${front} on ${ground}, theme ${theme}: ${got.toFixed(2)}`)
    }
})

/** WCAG 2: relative luminances of sRGB colours. */
function contrast(one: string, other: string): number {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

function luminance(colour: string): number {
  const hex = colour.length === 4 ? colour.slice(1).replaceAll(/./g, '$&$&') : colour.slice(1)
  const [r, g, b] = [0, 2, 4].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

test('every template quotes its attributes', () => {
  const files = (folder: URL): URL[] =>
    readdirSync(folder).flatMap((name) => {
      const path = new URL(name, folder)
      return statSync(path).isDirectory()
        ? files(new URL(`${name}/`, folder))
        : name.endsWith('.ts') && !name.endsWith('.test.ts')
          ? [path]
          : []
    })
  const unquoted = files(new URL('./', import.meta.url)).flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/<[a-z][^<>`]*\s[a-z-]+=\$\{/g)].map(
      ([found]) => `${path.pathname}: ${found}`,
    ),
  )
  assert.deepEqual(unquoted, [])
  // The rule sees what it looks for.
  assert.match('<a href=${x}>', /<[a-z][^<>`]*\s[a-z-]+=\$\{/)
  assert.equal(String(html`<p title="${'"<&>\''}"></p>`), '<p title="&quot;&lt;&amp;&gt;&#39;"></p>')
})

test('a repository’s README stands on its app’s page, with its licence and whose word the commit is', () => {
  const about = {
    commit: '0'.repeat(40),
    readme: { name: 'README.md', html: '<h3>Terns</h3><p>They fly.</p>', cut: true },
    licence: { spdx: 'MIT', file: 'LICENSE' },
    signature: 'The commit is not signed.',
  }
  const { app, frame, payForm: pay } = f
  const page = String(appPage({ about, app, pay, log: [], notice: null, adminToken: null }, frame))
  assert.match(page, /<h3>Terns<\/h3><p>They fly\.<\/p>/)
  assert.match(page, /licence MIT/)
  assert.match(page, /title="The commit is not signed\."/)
  assert.match(page, /It goes on in the repository/)
})
