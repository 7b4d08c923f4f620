import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isRefusal, methods } from '@perennial/protocol'
import { gitRemote, openTestNode, until, type GitRemote, type TestNode } from '@perennial/testnet'
import { axe, openBrowser, overflow, shoot, type Page, type TestBrowser } from './browser.ts'
import { dearMemory } from './prices.ts'

const RIGHT_TO_LEFT = '\u202e'
const HOSTILE = `<img src=x onerror="hacked=1"> <b>bold</b> ${RIGHT_TO_LEFT}gnp.exe`
const SERVER = `
const http = require('node:http')
const eaten = []
http.createServer((request, response) => {
  if (request.url === '/feast' && eaten.length === 0) eaten.push(Buffer.alloc(300 * 2 ** 20, 1))
  if (request.url === '/shout') console.log('<script>hacked=1</script> ' + ${JSON.stringify(HOSTILE)} + ' \\u001b[2J end')
  response.setHeader('content-type', 'text/html')
  // A page that strangers wrote: it sends a form of the node's in the visitor's name.
  const [, node, slug] = /^\\/trap\\?(.*),(.*)$/.exec(decodeURIComponent(request.url)) ?? []
  response.end(node
    ? '<form method=post action="' + node + '/' + slug + '/pay"><input name=other value=7><button>Win</button></form>'
    : 'here')
}).listen(process.env.PORT)
`
const app = (description: string, build?: string) => ({
  'package.json': JSON.stringify({ description, scripts: { ...(build && { build }), start: 'node server.js' } }),
  'server.js': SERVER,
})

let remote: GitRemote
/** All that is open, to be closed in the opposite order, however far the start came. */
const open = new AsyncDisposableStack()
let node: TestNode
let browser: TestBrowser
/** Paid for, and running. */
let alive: string
/** Its money is used up. */
let spent: string
/** Pages by name, as paths of the node or addresses of apps. */
const pages: Record<string, string> = {}

before(async () => {
  const prices = open.use(dearMemory(60n))
  remote = open.use(
    await gitRemote({
      repositories: {
        'octo/alive': app('Runs'),
        'octo/spent': app('Has run'),
        'octo/hostile': app(HOSTILE),
        'octo/broken': app('Never runs', 'exit 3'),
        'octo/endless': app('Builds', 'sleep 600'),
        'octo/stopped': app('Was stopped'),
      },
    }),
  )
  // At these prices what is on hold for an app's next hour is much.
  const env = { PERENNIAL_PRICE_BOOK: prices.path, PERENNIAL_ALLOWANCE: '10000000000' }
  node = open.use(await openTestNode({ remotes: [remote], env }))
  browser = open.use(await openBrowser())
  const [running, frozen, stopped, broken] = await Promise.all([
    deployed('octo/alive', 'running'),
    deployed('octo/spent', 'running'),
    deployed('octo/stopped', 'running'),
    deployed('octo/broken', 'failed'),
  ])
  alive = running.app.slug
  spent = frozen.app.slug
  await Promise.all([
    node.fund(alive, 25_000_000n),
    node.fund(spent, 100_000n),
    node.client.call(methods.apps.stop, { app: stopped.app.slug }),
  ])
  const endless = await deployed('octo/endless', 'building')
  await until('its money is used up', async () => {
    // Again and again: a payment gives it a new instance, with outgoing network.
    await node.visit(spent, '/feast')
    return (await node.app(spent)).state === 'frozen'
  })
  Object.assign(pages, {
    front: '/',
    repository: `/${remote.hostPort}/octo/unknown`,
    deployment: `/deployments/${running.deployment.id}`,
    'deployment-under-way': `/deployments/${endless.deployment.id}`,
    'deployment-failed': `/deployments/${broken.deployment.id}`,
    'app-running': `/${alive}`,
    'app-frozen': `/${spent}`,
    'app-stopped': `/${stopped.app.slug}`,
    statement: `/ledger/app/${running.app.id}/purse`,
    commons: '/ledger/commons',
    ledger: '/ledger',
    prices: '/prices',
    'no-such-page': '/nowhere',
    'no-repository': '/forge.example/nothing',
    'resting-frozen': frozen.app.url,
    'resting-stopped': stopped.app.url,
    'resting-building': endless.app.url,
    'resting-unbuilt': broken.app.url,
    'resting-unknown': running.app.url.replace(alive, 'nobody--nowhere'),
  })
})
after(() => open.disposeAsync())

test('no page has a serious barrier, wide or narrow, light or dark, and each fits a window of 320 pixels', async () => {
  const page = await browser.person()
  const lesser: string[] = []
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(addressOf(path))
    for (const width of [1280, 360])
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize({ width, height: 900 })
        await page.emulateMedia({ colorScheme })
        // Dark differs in its colours alone.
        const found = await axe(page, colorScheme === 'dark' ? ['color-contrast'] : undefined)
        const where = `${name}, ${width} pixels, ${colorScheme}`
        for (const { rule, impact, where: at } of found)
          if (impact === 'serious' || impact === 'critical') assert.fail(`${where}: ${rule}, ${at}`)
          else lesser.push(`${where}: ${impact} ${rule}, ${at}`)
        await shoot(page, `${name}-${width}${colorScheme === 'dark' ? '-dark' : ''}`)
      }
    await page.setViewportSize({ width: 320, height: 900 })
    assert.equal(await overflow(page), 0, `${name} scrolls sideways at 320 pixels`)
  }
  for (const line of lesser) console.log(line)
})

test('the search for barriers sees one: a picture without words, pale text', async () => {
  const page = await browser.person()
  await page.setContent('<title>x</title><main><h1>x</h1><p style="color:#ccc">pale<img src="data:,"></p></main>')
  const rules = (await axe(page)).map(({ rule }) => rule)
  assert.ok(rules.includes('color-contrast') && rules.includes('image-alt'), String(rules))
})

test('every page forbids inline code, loads from the node alone and breaks no rule of its own', async () => {
  browser.wrongs()
  const page = await browser.person()
  for (const [name, path] of Object.entries(pages)) {
    const headers = (await page.goto(addressOf(path)))?.headers() ?? {}
    const policy = headers['content-security-policy'] ?? ''
    assert.match(policy, /(^|; )default-src 'none'(;|$)/, name)
    assert.doesNotMatch(policy, /unsafe|\*|data:|blob:|https?:(?!\/\/127\.0\.0\.1)/, name)
    assert.match(policy, /base-uri 'none'/, name)
    assert.match(policy, /frame-ancestors 'none'/, name)
    assert.equal(headers['x-content-type-options'], 'nosniff', name)
    assert.equal(headers['cache-control'], 'no-store', name)
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin', name)
    if (name.startsWith('resting')) assert.ok(!/script-src/.test(policy) && !headers['set-cookie'], name)
    // Where there are live parts, some have come.
    if ((await page.locator('[data-stream]').count()) > 0) await page.waitForTimeout(200)
    assert.equal(await page.locator('[style], style, script:not([src]), iframe, object').count(), 0, name)
  }
  assert.deepEqual(browser.wrongs(), [])
})

test('the watch over pages sees a picture from elsewhere, and text that becomes a script', async () => {
  const page = await browser.person()
  await page.goto(node.origin)
  const loads = page.evaluate(() => {
    const picture = document.createElement('img')
    document.body.append(picture)
    return new Promise((resolve) => {
      picture.addEventListener('error', () => resolve('refused'))
      picture.src = 'http://elsewhere.localhost/x.png'
    })
  })
  assert.equal(await loads, 'refused')
  const runs = page.evaluate(() => (document.createElement('script').textContent = 'hacked = 1'))
  await assert.rejects(runs, /TrustedScript/)
  const wrongs = browser.wrongs().join('\n')
  assert.match(wrongs, /asked for http:\/\/elsewhere\.localhost\/x\.png/)
  assert.match(wrongs, /Loading the image .* violates/)
  assert.match(wrongs, /requires 'TrustedScript' assignment/)
})

test('looking at a repository’s page makes no app', async () => {
  const before = await apps()
  const page = await browser.person()
  await page.goto(addressOf(pages['repository']!))
  await page.getByRole('button', { name: 'Deploy' }).waitFor()
  assert.deepEqual(await apps(), before)
  // The same page knows an app that is here.
  await page.goto(addressOf(`/${remote.hostPort}/octo/alive`))
  await page.getByRole('link', { name: 'The page of alive' }).waitFor()
})

test('what strangers wrote is text: a description, a payer’s name, a commit’s subject, a log line that comes live', async () => {
  await remote.commit('octo/hostile', { 'x.txt': 'x' }, `${HOSTILE}\n`)
  const { slug, deployment } = await node.deploy(remote.url('octo/hostile'))
  const page = await browser.person()
  await page.goto(addressOf(`/${slug}`))
  await page.getByLabel('Other amount').fill('25')
  await page.getByLabel('Name').fill('<b>Bob</b>')
  await page.getByRole('button', { name: 'Pay for hostile' }).click()
  await page.locator('#contributions').getByText('<b>Bob</b>').waitFor()
  await page.locator('.lead').getByText('<img src=x onerror="hacked=1"> <b>bold</b>').waitFor()
  await node.visit(slug, '/shout')
  await page.locator('#log').getByText('<script>hacked=1</script> <img').waitFor()
  assert.match(await page.locator('#log').innerText(), /\\u202egnp\.exe \\x1b\[2J end/)
  await isHarmless(page)
  await page.goto(addressOf(`/deployments/${deployment!.id}`))
  await page.locator('.facts').getByText('<b>bold</b>').waitFor()
  await isHarmless(page)

  // An address that is none comes back as it was typed.
  await page.goto(node.origin)
  await page.getByLabel('Run an app').fill('"><script>hacked=1</script>')
  await page.getByRole('button', { name: 'Run it' }).click()
  await page.getByRole('alert').getByText('That is not the address of a repository.').waitFor()
  assert.equal(await page.getByLabel('Run an app').inputValue(), '"><script>hacked=1</script>')
  await isHarmless(page)
  assert.deepEqual(browser.wrongs(), [])
})

test('with the keyboard alone one deploys and pays, and sees where one is', async () => {
  const page = await browser.person()
  await page.goto(node.origin)
  await page.keyboard.press('Tab')
  assert.equal(await focused(page), 'To the content')
  // The last thing on the page, behind everything else.
  await tabTo(page, 'API')
  await page.reload()
  await tabTo(page, 'url')
  await page.keyboard.type(remote.url('octo/keys'))
  await remote.commit('octo/keys', app('By keys'), 'first')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'keys runs' }).waitFor()
  await tabTo(page, 'See keys’s page')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Keep it running' }).waitFor()
  await tabTo(page, 'amount')
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Space')
  await tabTo(page, 'Pay for keys')
  await page.keyboard.press('Enter')
  await page.getByText('Paid. keys runs longer.').waitFor()
  await page.locator('#contributions').getByText('25.00').waitFor()
  // The log takes the focus, so that it scrolls by keys.
  await tabTo(page, 'Log of keys')
  await tabTo(page, 'API')
})

test('another site’s page cannot pay or deploy in a visitor’s name', async () => {
  const page = await browser.person()
  const payments = async () => (await node.app(alive)).contributions.length
  const before = await payments()
  await page.goto(addressOf(`/${alive}`))
  await page.goto(`${(await node.app(alive)).url}/trap?${encodeURIComponent(`${node.origin},${alive}`)}`)
  await page.getByRole('button', { name: 'Win' }).click()
  await page.getByRole('heading', { name: 'That was not taken' }).waitFor()
  assert.equal(await payments(), before)

  // By hand, with the visitor's own cookie: origin and token are both needed, and enough.
  const [cookie] = await page.context().cookies(node.origin)
  await page.goto(addressOf(`/${alive}`))
  const token = await page.locator('#pay input[name=token]').inputValue()
  const post = async (path: string, form: Record<string, string>, origin: string) => {
    const headers = { cookie: `${cookie!.name}=${cookie!.value}`, origin }
    const answer = await fetch(addressOf(path), {
      method: 'POST',
      headers,
      body: new URLSearchParams(form),
      redirect: 'manual',
    })
    return answer.status
  }
  const amount = { other: '7' }
  const elsewhere = new URL((await node.app(alive)).url).origin
  assert.equal(await post(`/${alive}/pay`, { ...amount, token }, elsewhere), 403)
  assert.equal(await post(`/${alive}/pay`, amount, node.origin), 403)
  assert.equal(await post(`/${alive}/pay`, { ...amount, token: `${token.slice(1)}A` }, node.origin), 403)
  assert.equal(await post('/deploy', { url: remote.url('octo/alive') }, node.origin), 403)
  assert.equal(await payments(), before)
  assert.equal(await post(`/${alive}/pay`, { ...amount, token }, node.origin), 303)
  assert.equal(await payments(), before + 1)
})

function addressOf(path: string): string {
  return new URL(path, node.origin).href
}

async function apps(): Promise<string[]> {
  const answer = await node.client.call(methods.apps.list, {})
  if (isRefusal(answer)) throw new Error(answer.sentence)
  return answer.apps.map(({ slug }) => slug).toSorted()
}

async function deployed(name: string, status: string) {
  const asked = await node.client.call(methods.apps.deploy, { url: remote.url(name) })
  if (isRefusal(asked)) throw new Error(asked.sentence)
  await until(`${name} is ${status}`, async () => {
    const now = await node.client.call(methods.apps.deployment, { id: asked.deployment.id })
    return !isRefusal(now) && now.status === status
  })
  return asked
}

/** Nothing of it became an element or ran, and no letter turns the line around. */
async function isHarmless(page: Page): Promise<void> {
  assert.equal(await page.locator('img[src="x"], main b:text-is("bold"), main b:text-is("Bob")').count(), 0)
  assert.equal(await page.evaluate(() => 'hacked' in globalThis), false)
  assert.ok(!(await page.content()).includes(RIGHT_TO_LEFT))
}

/** Presses Tab until what has the focus is called so; wherever it passes there is a visible outline. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press('Tab')
    if ((await focused(page)) === name) return
  }
  assert.fail(`Tab never came to ${name}`)
}

/** What has the focus: its label, name or text. */
async function focused(page: Page): Promise<string> {
  const { name, outlinePx } = await page.evaluate(() => {
    const element = document.activeElement!
    const style = getComputedStyle(element.closest('.card') ?? element)
    const name = element.getAttribute('aria-label') ?? element.getAttribute('name') ?? element.textContent ?? ''
    return { name: name.trim(), outlinePx: style.outlineStyle === 'none' ? 0 : Number.parseFloat(style.outlineWidth) }
  })
  assert.ok(outlinePx >= 2, `${name} has the focus and nothing shows it`)
  return name
}
