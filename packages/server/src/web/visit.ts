/** One request on its way to a page: who looks, what the page needs, and the ways to answer. */
import type { Hono } from 'hono'
import { isRefusal, type Refusal } from '@perennial/protocol'
import type { Identity } from '../identity/index.ts'
import type { Rpc } from '../rpc/index.ts'
import type { Services } from '../services.ts'
import { Refused, type Data } from './data.ts'
import type { Html } from './html.ts'
import type { Live } from './live.ts'
import { problemPage } from './pages/problem.ts'
import { PAGE_HEADERS } from './security.ts'
import type { Frame } from './views.ts'
import { readForm, visitorOf, type Form, type Visitor } from './visitor.ts'

export interface Arrival {
  readonly request: Request
  readonly url: URL
  readonly address: string
}

export interface Site extends Pick<Services, 'clock' | 'diagnostics'> {
  readonly rpc: Rpc
  readonly identity: Pick<Identity, 'sessions'>
  readonly data: Data
  readonly live: Live
  readonly frame: () => Frame
}

export type Router = Hono<{ Bindings: Arrival }>

/** One request on its way to a page. */
export interface Visit extends Arrival {
  readonly site: Site
  readonly visitor: Visitor
  /** With the visitor's form token. */
  readonly frame: Frame
  page(markup: Html, status?: number): Response
}

export async function visit(
  site: Site,
  arrival: Arrival,
  show: (visit: Visit) => Promise<Response>,
): Promise<Response> {
  const visitor = await visitorOf(arrival.request, { address: arrival.address, sessions: site.identity.sessions })
  return show(visitOf(site, arrival, visitor))
}

function visitOf(site: Site, arrival: Arrival, visitor: Visitor): Visit {
  return {
    ...arrival,
    site,
    visitor,
    frame: { ...site.frame(), token: visitor.session.formToken },
    page(markup, status = 200) {
      const headers = new Headers(PAGE_HEADERS)
      // Never with the answer to a form: one that another site sent comes without the visitor's cookie, and must not
      // put a new one in its place.
      if (visitor.session.setCookie !== null && arrival.request.method === 'GET')
        headers.set('set-cookie', visitor.session.setCookie)
      return new Response(String(markup), { status, headers })
    },
  }
}

/** A form of ours, or a page that says why it is not taken. */
export async function submit(
  site: Site,
  arrival: Arrival,
  act: (visit: Visit, form: Form) => Promise<Response>,
): Promise<Response> {
  const read = await readForm(arrival.request, {
    origin: arrival.url.origin,
    address: arrival.address,
    sessions: site.identity.sessions,
  })
  if ('refused' in read)
    return visit(site, arrival, async (v) =>
      v.page(problemPage({ heading: 'That was not taken', sentence: read.refused }, v.frame), 403),
    )
  return act(visitOf(site, arrival, read.visitor), read.form)
}

export function watch(site: Site, { url, address, request }: Arrival, subject: Parameters<Live['watch']>[0]): Response {
  // A stream that nobody reads would stay open: its headers are all that HEAD asks for.
  if (request.method === 'HEAD') return new Response(null, { headers: { 'content-type': 'text/event-stream' } })
  const resumed = request.headers.get('last-event-id') ?? url.searchParams.get('after')
  const after = resumed !== null && /^\d{1,18}$/.test(resumed) ? BigInt(resumed) : null
  return site.live.watch(subject, { address, after, signal: request.signal })
}

/** 303: what was posted is done, and loading the next page again does not do it twice. */
export function seeOther(path: string): Response {
  return new Response(null, { status: 303, headers: { location: path, 'cache-control': 'no-store' } })
}

export function problemOf(
  { sentence, nextStep }: Refusal,
  heading: string,
): { heading: string; sentence: string; nextStep: string | undefined } {
  return { heading, sentence, nextStep }
}

export function must<T>(answer: T | Refusal): T {
  if (isRefusal(answer)) throw new Refused(answer)
  return answer
}
