import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { verifyResponse } from '@perennial/protocol'
import { withRpc } from '../rpc/testing.ts'
import { asVisitor, openSite, ORIGIN, type TestSite } from './testing.ts'
import * as f from './fixtures.ts'
import * as books from './fixtures-books.ts'

async function withSite(work: (site: TestSite) => Promise<void>): Promise<void> {
  await withRpc(async ({ house }) => {
    const site = await openSite(house)
    try {
      await work(site)
    } finally {
      await site.web.close()
    }
  })
}

const scale = Number(process.env['TEST_SCALE'] ?? 1)
const APP = `/${f.app.slug}`
const DEPLOYMENT = `/deployments/${f.deployment.id}`
const PAGES = ['/', '/prices', '/ledger', '/ledger/commons', APP, DEPLOYMENT, '/forge.example/octo/hello', '/nowhere']

test('every page says what the browser may do, and it is next to nothing', () =>
  withSite(async (site) => {
    for (const path of PAGES) {
      const page = await site.get(path)
      const policy = page.headers.get('content-security-policy')!
      assert.equal(page.status, path === '/nowhere' ? 404 : 200, path)
      assert.ok(!policy.includes('unsafe') && !policy.includes('*') && !policy.includes('data:'), policy)
      for (const rule of [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "require-trusted-types-for 'script'",
      ])
        assert.ok(policy.includes(rule), rule)
      assert.equal(page.headers.get('x-content-type-options'), 'nosniff')
      assert.equal(page.headers.get('cache-control'), 'no-store')
    }
  }))

test('looking changes nothing: not one page calls a method that does', () =>
  withSite(async (site) => {
    const more = [`${APP}?amount=5.00&paid=x`, `${APP}/badge.svg`, '/deploy', `${APP}/pay`, `${APP}/stop`]
    for (const path of [...PAGES, ...more]) await site.get(path)
    assert.deepEqual(site.done, [])
  }))

test('a visitor deploys: the form leads to the page of the deployment', () =>
  withSite(async (site) => {
    const { cookie, token } = await asVisitor(await site.get('/'))
    const form = { url: ' https://forge.example/octo/hello ', token }
    const answer = await site.post('/deploy', form, { cookie, origin: ORIGIN })
    assert.deepEqual([answer.status, answer.headers.get('location')], [303, DEPLOYMENT])
    assert.deepEqual(
      site.done.map(({ method, input }) => [method, input]),
      [['apps.deploy', { url: 'https://forge.example/octo/hello' }]],
    )
    assert.match(site.done[0]!.caller!, /^did:key:z6Mk/)
  }))

test('an address that cannot be run comes back in its field, with what to do', () =>
  withSite(async (site) => {
    const { cookie, token } = await asVisitor(await site.get('/'))
    for (const url of ['ssh://forge.example/octo/hello', 'x y', '', `https://${'x'.repeat(3000)}`]) {
      const answer = await site.post('/deploy', { url, token }, { cookie, origin: ORIGIN })
      const page = await answer.text()
      assert.equal(answer.status, 422)
      assert.match(page, /id="wrong" role="alert"/)
      assert.match(page, /aria-invalid="true"/)
      if (url !== '') assert.ok(page.includes(`value="${url}"`))
    }
  }))

test('a stranger pays; the same form sent twice pays once', () =>
  withSite(async (site) => {
    const page = await asVisitor(await site.get(APP))
    const id = /name="id" value="([^"]+)"/.exec(page.body)![1]!
    const form = { token: page.token, id, amount: '10.00', other: '', name: 'tern' }
    const headers = { cookie: page.cookie, origin: ORIGIN }
    const paid = await site.post(`${APP}/pay`, form, headers)
    assert.deepEqual([paid.status, paid.headers.get('location')], [303, `${APP}?paid=${id}`])
    await site.post(`${APP}/pay`, form, headers)
    assert.deepEqual(
      site.done.map(({ input }) => (input as { id: string }).id),
      [id, id],
    )
    assert.match(await (await site.get(`${APP}?paid=${id}`)).text(), /Paid\. fieldnotes runs longer\./)
    const claimed = await (await site.get(`${APP}?paid=${f.deployment.id}`)).text()
    assert.ok(!claimed.includes('Paid.'), 'an address cannot claim a payment')
  }))

test('another amount wins over the presets; what is no amount comes back with a sentence', () =>
  withSite(async (site) => {
    const { cookie, token } = await asVisitor(await site.get(APP))
    const pay = (form: Record<string, string>) =>
      site.post(`${APP}/pay`, { token, ...form }, { cookie, origin: ORIGIN })
    assert.equal((await pay({ amount: '10.00', other: '12.5' })).status, 303)
    assert.equal((site.done[0]!.input as { amount: bigint }).amount, 12_500_000n)
    const wrong: Record<string, string>[] = [
      {},
      { amount: '10.00', other: 'ten' },
      { other: '-1' },
      { other: '1e3' },
      { other: '0' },
      { other: '0.01' },
      { amount: '1', name: 'two\nlines' },
    ]
    for (const form of wrong) {
      const answer = await pay(form)
      assert.equal(answer.status, 422, JSON.stringify(form))
      assert.match(await answer.text(), /id="pay-wrong"[^>]*>[^<]*charged/)
    }
    assert.equal(site.done.length, 2)
  }))

test('a link from a frozen page fills the pay box and pays nothing', () =>
  withSite(async (site) => {
    assert.match(await (await site.get(`${APP}?amount=25.00&other=`)).text(), /value="25\.00"\s+checked/)
    assert.match(await (await site.get(`${APP}?amount=10.00&other=7`)).text(), /id="other"[^>]*\svalue="7\.00"/)
    assert.deepEqual(site.done, [])
  }))

test('a form that is not ours, not theirs, or not from here does nothing', () =>
  withSite(async (site) => {
    const mine = await asVisitor(await site.get('/'))
    const theirs = await asVisitor(await site.get('/'))
    const form = { url: 'https://forge.example/octo/hello', token: mine.token }
    const good = { cookie: mine.cookie, origin: ORIGIN }
    const cases: [string, Record<string, string>, Record<string, string>][] = [
      ['from another site', form, { ...good, origin: 'http://evil.localhost:8080' }],
      ['from nowhere', form, { cookie: mine.cookie }],
      ['from a page without an origin', form, { ...good, origin: 'null' }],
      ['said by the browser to be cross-site', form, { ...good, 'sec-fetch-site': 'cross-site' }],
      ['without the cookie', form, { origin: ORIGIN }],
      ['with another visitor’s cookie', form, { ...good, cookie: theirs.cookie }],
      ['with another visitor’s token', { ...form, token: theirs.token }, good],
      ['without a token', { url: form.url }, good],
      ['as JSON', form, { ...good, 'content-type': 'application/json' }],
      ['too large', { ...form, more: 'x'.repeat(20_000) }, good],
    ]
    for (const [name, sent, headers] of cases) {
      const answer = await site.post('/deploy', sent, headers)
      assert.equal(answer.status, 403, name)
      assert.match(await answer.text(), /Nothing was done/, name)
      assert.equal(answer.headers.get('set-cookie'), null, 'and nobody loses their session by it')
    }
    assert.deepEqual(site.done, [])
    // The control: the same form as it should be.
    assert.equal((await site.post('/deploy', form, { ...good, 'sec-fetch-site': 'same-origin' })).status, 303)
  }))

test('only its admin sees how to stop an app, and only they can', () =>
  withSite(async (site) => {
    const { cookie, token, body } = await asVisitor(await site.get(APP))
    assert.ok(!body.includes(`${APP}/stop`) && !body.includes('OC-Admin-Token'))
    const answer = await site.post(`${APP}/stop`, { token }, { cookie, origin: ORIGIN })
    assert.equal(answer.status, 409)
    assert.match(await answer.text(), /Only the admin of this app may do that/)
    assert.deepEqual(site.done, [])
    site.state.app = { ...site.state.app, mayAdminister: true }
    assert.match(await (await site.get(APP)).text(), /OC-Admin-Token: [\w-]{22}/)
  }))

test('another host name is told so before anything is looked up', () =>
  withSite(async (site) => {
    const url = new URL('http://evil.example/<b>')
    const answer = await site.web.answer({ request: new Request(url), url, address: '127.0.0.1' })
    assert.equal(answer.status, 421)
    assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
  }))

test('calls and pages share an address: the API answers beside them, signed', () =>
  withSite(async (site) => {
    const request = { method: 'GET', url: `${ORIGIN}/oc/node/prices`, headers: new Headers() }
    const answer = await site.get('/oc/node/prices')
    const body = new Uint8Array(await answer.arrayBuffer())
    assert.equal((await verifyResponse({ status: 200, headers: answer.headers, body }, { request })).status, 'valid')
    assert.equal((await site.get('/openapi.json')).status, 200)
  }))

test('files are named by what they hold, kept for a year, and the sheet finds its fonts', () =>
  withSite(async (site) => {
    const page = await (await site.get('/')).text()
    const sheet = /href="(\/assets\/[0-9a-f]{12}-style\.css)"/.exec(page)![1]!
    const css = await site.get(sheet)
    assert.match(css.headers.get('cache-control')!, /max-age=31536000, immutable/)
    const fonts = [...(await css.text()).matchAll(/url\(([^)]+\.woff2)\)/g)].map(([, name]) => name!)
    assert.equal(fonts.length, 3)
    for (const font of fonts) {
      const { status, headers } = await site.get(`/assets/${font}`)
      assert.deepEqual([status, headers.get('content-type')], [200, 'font/woff2'])
      assert.equal(headers.get('access-control-allow-origin'), '*', 'pages at apps’ addresses use them too')
    }
    assert.equal((await site.get('/assets/style.css')).status, 404)
    assert.equal((await site.get('/assets/../web.ts')).status, 404)
  }))

test('a statement comes as CSV and JSON too, and each adds up', () =>
  withSite(async (site) => {
    const csv = await (await site.get(`/ledger/${books.account.name}.csv`)).text()
    const lines = csv
      .trim()
      .split('\r\n')
      .slice(1)
      .map((line) => line.split(','))
    assert.equal(lines.length, books.rows.length)
    const json = (await (await site.get(`/ledger/${books.account.name}.json`)).json()) as { rows: { micros: string }[] }
    const sum = books.rows.reduce((total, { amount }) => total + amount, 0n)
    assert.equal(
      json.rows.reduce((total, { micros }) => total + BigInt(micros), 0n),
      sum,
    )
    assert.equal(
      lines.reduce((total, line) => total + BigInt(line[6]!), 0n),
      sum,
    )
  }))

test('the badge is a small image that loads nothing', () =>
  withSite(async (site) => {
    const badge = await site.get(`${APP}/badge.svg`)
    const text = await badge.text()
    assert.equal(badge.headers.get('content-type'), 'image/svg+xml')
    assert.ok(text.length < 1200 && text.includes('paid until 12'), `${text.length}`)
    assert.ok(!/href|<image|<script|url\(/.test(text))
    assert.equal(badge.headers.get('set-cookie'), null)
  }))

test('an app that cannot answer is spoken for, at its own address, without a way to post', () =>
  withSite(async (site) => {
    site.state.app = f.frozenApp
    const about = { host: 'harbor-tides--ketch.localhost', app: f.frozenApp.id }
    const page = await site.web.resting('unpaid', about)
    const policy = page.headers['content-security-policy']!
    assert.equal(page.status, 402)
    assert.match(page.body, /harbor-tides has run out of money\. Nothing is lost\./)
    assert.match(page.body, /method="get"\s+action="http:\/\/127\.0\.0\.1:8080\/harbor-tides--ketch#pay"/)
    assert.match(policy, /form-action http:\/\/127\.0\.0\.1:8080;/)
    assert.ok(!policy.includes('script-src'))
    assert.equal((await site.web.resting('unknown', { host: 'x--y.localhost' })).status, 404)
    // While the database is away nobody knows that there is no such app: the gateway says that in its own words.
    await assert.rejects(site.web.resting('starting', { host: 'harbor-tides--ketch.localhost' }), /looked up/)
  }))

/** Reads a live stream until it has said something. */
async function heard(stream: Response, pattern: RegExp): Promise<string> {
  const reader = stream.body!.getReader()
  let text = ''
  while (!pattern.test(text)) text += new TextDecoder().decode((await reader.read()).value)
  await reader.cancel()
  return text
}

test('a live page sends its parts as the page has them, and the log from where it was cut off', () =>
  withSite(async (site) => {
    const text = await heard(await site.get(`${APP}/live?after=8`), /event: lines\ndata: .*dropped/)
    assert.match(text, /event: part\ndata: <div class="title" id="head">/)
    const log = [...text.matchAll(/id: (\d+)\nevent: lines/g)].map(([, seq]) => seq)
    assert.deepEqual(log, ['9', '10'])
    assert.ok(!text.includes('\u001B'))
  }))

test('a stream that is only asked for by its head stays open for nobody', () =>
  withSite(async (site) => {
    const { web } = site
    for (let turn = 0; turn < 100; turn++) {
      const url = new URL(`${APP}/live`, ORIGIN)
      await web.answer({ request: new Request(url, { method: 'HEAD' }), url, address: '203.0.113.7' })
    }
    const url = new URL(`${APP}/live`, ORIGIN)
    const stream = await web.answer({ request: new Request(url), url, address: '203.0.113.7' })
    assert.equal(stream.status, 200)
    await heard(stream, /event: part/)
  }))

test('a build that ends turns the page, and what has ended is not live', () =>
  withSite(async (site) => {
    site.state.deployment = { ...f.deployment, status: 'running' }
    await heard(await site.get(`${DEPLOYMENT}/live?after=10`), /event: turn/)
    assert.ok(!(await (await site.get(DEPLOYMENT)).text()).includes('data-stream'))
  }))

test('no path, query or form breaks a page', () =>
  withSite(async (site) => {
    const segment = fc.oneof(
      fc.constantFrom(
        '',
        'ledger',
        'deployments',
        'live',
        'pay',
        f.app.slug,
        'x--y',
        'forge.example',
        '..',
        '%2e%2e',
        '%',
        'a.csv',
      ),
      fc.string({ maxLength: 12 }).map(encodeURIComponent),
    )
    const path = fc
      .tuple(fc.array(segment, { maxLength: 4 }), fc.webQueryParameters())
      .map(([parts, query]) => `/${parts.join('/')}?${query}`)
    const { cookie, token } = await asVisitor(await site.get('/'))
    await fc.assert(
      fc.asyncProperty(
        path,
        fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 30 })),
        async (asked, form) => {
          if (!URL.canParse(asked, ORIGIN) || new URL(asked, ORIGIN).origin !== ORIGIN) return
          const answers = [
            await site.get(asked, { cookie }),
            await site.post(asked, { ...form, token }, { cookie, origin: ORIGIN }),
          ]
          for (const answer of answers) {
            assert.ok(answer.status < 500, `${asked}: ${answer.status}`)
            await answer.body?.cancel()
          }
        },
      ),
      { numRuns: 150 * scale },
    )
  }))

test('the site closes while pages are open and looked at', () =>
  withSite(async (site) => {
    const port = await site.web.listen({ host: '127.0.0.1', port: 0 })
    const answer = await fetch(`http://127.0.0.1:${port}/`)
    assert.equal(answer.status, 421, 'its port is not the one it was told to have')
    const stream = await site.get('/live')
    await site.web.close()
    assert.match(await stream.text(), /event: end/)
  }))
