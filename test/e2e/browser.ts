/**
 * Chromium as a person has it: a new profile, the pages as they are served, and a record of whatever they should not
 * have done.
 *
 *     await using browser = await openBrowser()
 *     const page = await browser.person()
 *     await page.goto(node.origin)
 *     assert.deepEqual(browser.wrongs(), [])
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { chromium, type ConsoleMessage, type Page, type Request } from 'playwright-core'

export type { Page }

export interface PersonOptions {
  /** Scripts run unless this is false. */
  readonly javaScript?: boolean
  readonly width?: number
  readonly dark?: boolean
}

export interface TestBrowser extends AsyncDisposable {
  /** A page of somebody who was never here: no cookie, nothing cached. */
  person(options?: PersonOptions): Promise<Page>
  /** Errors on consoles, violations of a page's policy, and requests that left the node, since the last asking. */
  wrongs(): string[]
  close(): Promise<void>
}

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const HEIGHT = 900

export async function openBrowser(): Promise<TestBrowser> {
  // Makes an empty profile and removes it at the end.
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS })
  let wrongs: string[] = []
  const close = () => browser.close()
  return {
    async person({ javaScript = true, width = 1280, dark = false } = {}) {
      const context = await browser.newContext({
        viewport: { width, height: HEIGHT },
        javaScriptEnabled: javaScript,
        colorScheme: dark ? 'dark' : 'light',
        // Nothing moves while it is looked at, and pictures of one page are alike.
        reducedMotion: 'reduce',
      })
      context.setDefaultTimeout(20_000)
      const page = await context.newPage()
      page.on('console', (message) => isWrong(message) && wrongs.push(`${page.url()}: ${message.text()}`))
      page.on('pageerror', (error) => wrongs.push(`${page.url()}: ${error.message}`))
      page.on('request', (request) => leaves(request) && wrongs.push(`${page.url()} asked for ${request.url()}`))
      return page
    },
    wrongs() {
      const found = wrongs
      wrongs = []
      return found
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** An answer that is no 200 stands on the console too; tests look at statuses themselves. */
function isWrong(message: ConsoleMessage): boolean {
  return ['error', 'warning'].includes(message.type()) && !/the server responded with a status of/.test(message.text())
}

/** A page loads from its own address and the node's; a person goes to the node and its apps. */
function leaves(request: Request): boolean {
  const { hostname, origin } = new URL(request.url())
  if (hostname === '127.0.0.1') return false
  return request.isNavigationRequest()
    ? !hostname.endsWith('.localhost')
    : new URL(request.frame().url()).origin !== origin
}

export interface Finding {
  readonly rule: string
  readonly impact: string
  /** What axe says of it, and where it is. */
  readonly where: string
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * What axe finds on the page as it stands; `rules`: these alone. Its source comes over the debugger, which no policy
 * of the page stops.
 */
export async function axe(page: Page, rules?: readonly string[]): Promise<readonly Finding[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axeSource)
  return page.evaluate(async (only) => {
    interface Axe {
      run(options: object): Promise<{
        violations: { id: string; impact: string | null; help: string; nodes: { html: string; target: unknown[] }[] }[]
      }>
    }
    const { axe } = globalThis as unknown as { axe: Axe }
    // Preloading would fetch the style sheet, which a page's policy rightly forbids.
    const { violations } = await axe.run({
      preload: false,
      resultTypes: ['violations'],
      ...(only ? { runOnly: only } : { rules: { 'target-size': { enabled: true } } }),
    })
    return violations.map(({ id, impact, help, nodes }) => ({
      rule: id,
      impact: impact ?? 'none',
      where: `${help}: ${nodes.map(({ target, html }) => `${target.join(' ')} ${html.slice(0, 120)}`).join(' | ')}`,
    }))
  }, rules)
}

/** How many pixels of the page lie to the right of the window. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}

/** With SHOTS=folder each page that a test stands on is drawn there, whole. */
export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env['SHOTS']
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
}
