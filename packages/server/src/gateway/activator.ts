/**
 * Holds the requests of apps that do not answer directly, while they are woken; answers for those that will not be.
 *
 * Only HAProxy reaches its socket, so `X-Perennial-App` and the Host it has checked are believed. A held request's
 * body stays unread until the app is there to take it.
 */
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { chmod, rm } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRefusal, type Refusal } from '@perennial/protocol'
import type { Diagnostics } from '../diagnostics.ts'
import type { Endpoint } from './names.ts'
import { plainPage, type Page, type PageAbout, type PageKind, type PageMaker } from './pages.ts'
import { AppUnreachable, passOn, passUpgrade } from './pass-on.ts'

const AGAIN_MS = 5

/** Who knows apps and can wake them; node.ts fills it. */
export interface Waker {
  /** The app that a host name belongs to, or null. */
  find(host: string): Promise<{ app: string } | null>
  /** Answers once the app can take requests; asked again for an app that is awake, at once. */
  wake(app: string): Promise<'ready' | Refusal>
}

export interface ActivatorOptions {
  readonly socketPath: string
  readonly waker: Waker
  readonly page: PageMaker
  /** Where an app listens, once it is awake. */
  readonly endpoint: (app: string) => Endpoint | null
  /** How long a request is held for a wake. */
  readonly holdMs: number
  readonly diagnostics: Diagnostics
}

/** What becomes of a request: it goes to an app, or gets a page. */
type Verdict = Endpoint | { readonly kind: PageKind; readonly about: PageAbout }

export interface Activator {
  close(): Promise<void>
}

export async function openActivator(options: ActivatorOptions): Promise<Activator> {
  const server = createServer({ maxHeaderSize: 32 * 1024, requestTimeout: 0, keepAliveTimeout: 75_000 })
  server.on('request', (incoming, response) => void answer(options, incoming, response))
  /** Upgraded connections, which the server does not know any more; each until it is closed. */
  const upgraded = new Set<Duplex>()
  server.on('upgrade', (incoming, client, head) => {
    upgraded.add(client)
    client.on('close', () => upgraded.delete(client))
    void answerUpgrade(options, incoming, client, head)
  })
  await rm(options.socketPath, { force: true })
  await listen(server, options.socketPath)
  await chmod(options.socketPath, 0o600)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
        for (const client of upgraded) client.destroy()
      }),
  }
}

async function answer(options: ActivatorOptions, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  incoming.on('error', () => response.destroy())
  response.on('error', () => response.destroy())
  const about = await decide(options, incoming)
  try {
    if ('address' in about) return await passOn(incoming, response, about)
  } catch (error) {
    const { host } = aboutOf(incoming)
    explain(options, host, error)
    return send(response, incoming, await pageOf(options, 'starting', { host }))
  }
  send(response, incoming, await pageOf(options, about.kind, about.about))
}

async function answerUpgrade(
  options: ActivatorOptions,
  incoming: IncomingMessage,
  client: Duplex,
  head: Buffer,
): Promise<void> {
  client.on('error', () => client.destroy())
  const verdict = await decide(options, incoming)
  const { host } = aboutOf(incoming)
  let page: Page
  try {
    if ('address' in verdict) return await passUpgrade(incoming, client, head, verdict)
    page = await pageOf(options, verdict.kind, verdict.about)
  } catch (error) {
    explain(options, host, error)
    page = await pageOf(options, 'starting', { host })
  }
  const headers = Object.entries({
    ...page.headers,
    'content-length': Buffer.byteLength(page.body),
    connection: 'close',
  })
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  client.end(`HTTP/1.1 ${page.status} ${STATUS_CODES[page.status]}\r\n${lines}\r\n${page.body}`)
}

/** Wakes the app if there is one. Never throws: what goes wrong here is a page too. */
async function decide(options: ActivatorOptions, incoming: IncomingMessage): Promise<Verdict> {
  const { host, named } = aboutOf(incoming)
  const enough = new AbortController()
  const late = sleep(options.holdMs, 'late' as const, { signal: enough.signal }).catch(() => 'late' as const)
  try {
    const app = named ?? (await options.waker.find(host))?.app
    if (app === undefined) return { kind: 'unknown', about: { host } }
    for (;;) {
      const woken = await Promise.race([options.waker.wake(app), late])
      if (woken === 'late') return { kind: 'starting', about: { host, app } }
      if (isRefusal(woken)) {
        const { sentence, nextStep, refusal } = woken
        const kind = refusal === 'request-declined/payment-required' ? 'unpaid' : 'down'
        return { kind, about: { host, app, sentence, ...(nextStep === undefined ? {} : { nextStep }) } }
      }
      const endpoint = options.endpoint(app)
      if (endpoint) return endpoint
      // It was about to fall asleep again, and will find this request waiting.
      await Promise.race([sleep(AGAIN_MS), late])
    }
  } catch (error) {
    explain(options, host, error)
    return { kind: 'starting', about: { host } }
  } finally {
    enough.abort()
  }
}

function aboutOf(incoming: IncomingMessage): { host: string; named: string | undefined } {
  const named = incoming.headers['x-perennial-app']
  const host = (incoming.headers.host ?? '').replace(/:\d*$/, '').toLowerCase()
  return { host, named: typeof named === 'string' && named !== '' ? named : undefined }
}

function explain({ diagnostics }: ActivatorOptions, host: string, error: unknown): void {
  if (error instanceof AppUnreachable) diagnostics.info(`a held request of ${host} could not be passed on`, { error })
  else diagnostics.error(`waking ${host} failed`, { error })
}

/** Never throws: a page that cannot be made, because its database is away, becomes one that needs nothing. */
async function pageOf(options: ActivatorOptions, kind: PageKind, about: PageAbout): Promise<Page> {
  try {
    return await options.page(kind, about)
  } catch (error) {
    options.diagnostics.error(`the page of ${about.host} could not be made`, { error })
    return plainPage(kind, about)
  }
}

/** The body that the client still sends is not wanted: the connection closes with the page. */
function send(response: ServerResponse, incoming: IncomingMessage, page: Page): void {
  if (response.destroyed || response.headersSent) return void response.destroy()
  if (!incoming.complete) response.setHeader('connection', 'close')
  response.writeHead(page.status, { ...page.headers, 'content-length': Buffer.byteLength(page.body) })
  response.end(incoming.method === 'HEAD' ? undefined : page.body)
}

function listen(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
