import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gitRemote, openTestNode, until, type GitRemote, type TestNode } from '@perennial/testnet'
import { openBrowser, shoot, type Page, type TestBrowser } from './browser.ts'
import { dearMemory } from './prices.ts'

/** Says what it was asked for; at /feast it takes so much memory that a small payment is soon used up. */
const SERVER = `
const eaten = []
require('node:http').createServer((request, response) => {
  console.log('asked for ' + request.url)
  if (request.url === '/feast' && eaten.length === 0) eaten.push(Buffer.alloc(300 * 2 ** 20, 1))
  response.setHeader('content-type', 'text/html').end('<!doctype html><title>hello</title><h1>Hello, you</h1>')
}).listen(process.env.PORT)
`
/** Long enough for a person to see it. */
const BUILD = `console.log('grinding'); setTimeout(() => console.log('ground'), 3000)`
const HELLO = {
  'package.json': JSON.stringify({
    name: 'hello',
    description: 'Greets whoever comes by',
    scripts: { build: 'node build.js', start: 'node server.js' },
  }),
  'build.js': BUILD,
  'server.js': SERVER,
}
/** What is left of 0.10 after the commons' share and a little running, which is charged when an hour is full. */
const PURSE = /Purse\s+0\.0[89]/

let remote: GitRemote
/** All that is open, to be closed in the opposite order, however far the start came. */
const open = new AsyncDisposableStack()
let node: TestNode
let browser: TestBrowser

before(async () => {
  const prices = open.use(dearMemory(60n))
  remote = open.use(await gitRemote({ repositories: { 'octo/hello': HELLO, 'octo/plain': HELLO } }))
  // At these prices what is on hold for an app's next hour is much.
  const env = { PERENNIAL_PRICE_BOOK: prices.path, PERENNIAL_ALLOWANCE: '10000000000' }
  node = open.use(await openTestNode({ remotes: [remote], env }))
  browser = open.use(await openBrowser())
})
after(() => open.disposeAsync())

test('with scripts, a visitor deploys, watches, sees a stranger pay, the app freeze and come back, on one open page', async () => {
  const visitor = await browser.person()
  await visitor.goto(node.origin)
  await visitor.getByLabel('Run an app').fill(remote.url('octo/hello'))
  await visitor.getByRole('button', { name: 'Run it' }).click()

  // The steps and the build's log come live, on the document that was loaded first.
  await visitor.waitForURL(/\/deployments\//)
  await mark(visitor)
  await visitor.getByText('grinding').waitFor()
  await visitor.getByRole('heading', { name: 'Building hello' }).waitFor()
  await visitor.locator('#steps li', { hasText: 'Fetch, done' }).waitFor()
  assert.ok(await isMarked(visitor), 'the deployment’s page was loaded again while it was under way')
  await shoot(visitor, 'job-deployment')
  await visitor.getByRole('heading', { name: 'hello runs' }).waitFor()
  await visitor.getByRole('link', { name: 'See hello’s page' }).click()

  // What the app prints appears by itself.
  const slug = slugOf(visitor)
  await visitor.getByText('nobody has paid yet').waitFor()
  await mark(visitor)
  assert.equal((await node.visit(slug, '/sent-from-outside')).status, 200)
  await visitor.locator('#log').getByText('asked for /sent-from-outside').waitFor()

  // A stranger opens the app by its link, pays, and the first visitor sees who and how much.
  const stranger = await browser.person()
  await stranger.goto(visitor.url())
  await pay(stranger, '0.10', 'Somebody else')
  await stranger.getByText('Paid. hello runs longer.').waitFor()
  await visitor.locator('#contributions').getByText('Somebody else').waitFor()
  await visitor.locator('#figures', { hasText: PURSE }).waitFor()
  await visitor.locator('#until time').waitFor()
  await shoot(visitor, 'job-app-paid')
  await stranger.getByRole('link', { name: 'Open hello' }).click()
  await stranger.getByRole('heading', { name: 'Hello, you' }).waitFor()

  // Its money is soon used up; the open page says so.
  const address = new URL(stranger.url()).origin
  await until('the open page says that it froze', async () => {
    // Again and again: a payment gives it a new instance, with outgoing network.
    await stranger.goto(`${address}/feast`)
    return visitor.locator('#head .frozen').isVisible()
  })
  await visitor.locator('#until').getByText('Not paid for since').waitFor()
  assert.match(await visitor.title(), /^hello, frozen, not paid for since /)
  await shoot(visitor, 'job-app-frozen')

  // At its own address stands a button that leads to its revival.
  const answer = await stranger.goto(address)
  assert.equal(answer?.status(), 402)
  await stranger.getByRole('heading', { name: 'hello has run out of money. Nothing is lost.' }).waitFor()
  await shoot(stranger, 'job-resting')
  await stranger.getByRole('button', { name: 'Pay for hello' }).click()
  await stranger.waitForURL((url) => url.origin === node.origin && url.pathname === `/${slug}`)
  await stranger.getByRole('button', { name: 'Pay for hello' }).click()
  await stranger.getByText('Paid. hello is brought back.').waitFor()
  await visitor.locator('#head .pill:not(.frozen)').waitFor()
  await visitor.locator('#activity').getByText('Awake.').waitFor()
  assert.ok(await isMarked(visitor), 'the app’s page was loaded again')
  await stranger.getByRole('link', { name: 'Open hello' }).click()
  await stranger.getByRole('heading', { name: 'Hello, you' }).waitFor()
  assert.deepEqual(browser.wrongs(), [])
})

test('without scripts, the same by links, forms and loading again', async () => {
  const visitor = await browser.person({ javaScript: false })
  await visitor.goto(node.origin)
  await visitor.getByLabel('Run an app').fill(remote.url('octo/plain'))
  await visitor.getByRole('button', { name: 'Run it' }).click()
  await visitor.waitForURL(/\/deployments\//)
  await shown(visitor, 'grinding')
  await shown(visitor, 'plain runs')
  await visitor.getByRole('link', { name: 'See plain’s page' }).click()
  await shown(visitor, 'nobody has paid yet')
  const slug = slugOf(visitor)
  assert.equal((await node.visit(slug, '/sent-from-outside')).status, 200)
  await shown(visitor, 'asked for /sent-from-outside')

  const stranger = await browser.person({ javaScript: false })
  await stranger.goto(visitor.url())
  await pay(stranger, '0.10', 'Somebody else')
  await shown(stranger, 'Paid. plain runs longer.')
  await shown(visitor, 'Somebody else')
  await shown(visitor, PURSE)
  await stranger.getByRole('link', { name: 'Open plain' }).click()
  await shown(stranger, 'Hello, you')

  const address = new URL(stranger.url()).origin
  await until('the page says that it froze', async () => {
    await stranger.goto(`${address}/feast`)
    await visitor.reload()
    return visitor.getByText('Not paid for since').isVisible()
  })
  assert.equal((await stranger.goto(address))?.status(), 402)
  await stranger.getByRole('button', { name: 'Pay for plain' }).click()
  await stranger.waitForURL((url) => url.origin === node.origin && url.pathname === `/${slug}`)
  await stranger.getByRole('button', { name: 'Pay for plain' }).click()
  await shown(stranger, 'Paid. plain is brought back.')
  await shown(visitor, 'Awake.')
  await stranger.getByRole('link', { name: 'Open plain' }).click()
  await shown(stranger, 'Hello, you')
  assert.deepEqual(browser.wrongs(), [])
})

async function pay(page: Page, amount: string, name: string): Promise<void> {
  await page.getByLabel('Other amount').fill(amount)
  await page.getByLabel('Name').fill(name)
  await page.getByRole('button', { name: /^Pay for / }).click()
}

function slugOf(page: Page): string {
  return new URL(page.url()).pathname.slice(1)
}

/** A document that is loaded again loses this. */
async function mark(page: Page): Promise<void> {
  await page.evaluate(() => Object.assign(globalThis, { marked: true }))
}

async function isMarked(page: Page): Promise<boolean> {
  return page.evaluate(() => 'marked' in globalThis)
}

/** Loads the page again until it says so, as a person without scripts does. */
async function shown(page: Page, text: string | RegExp): Promise<void> {
  const says = async () => {
    const said = await page.locator('body').innerText()
    return typeof text === 'string' ? said.includes(text) : text.test(said)
  }
  await until(`the page says ${String(text)}`, async () => (await says()) || (await page.reload(), await says()))
}
