/** An app's pages: looking, paying, and what its admin may do. */
import { amountText, isRefusal, Malformed, methods, newId, parseAmount, UUID, type Micros } from '@perennial/protocol'
import { appSubject } from './looks.ts'
import { appPage } from './pages/app.ts'
import { isResting } from './parts/app-live.ts'
import { badge } from './parts/badge.ts'
import { seeOther, submit, visit, watch, type Router, type Site, type Visit } from './visit.ts'
import type { App, Notice, PayForm } from './views.ts'
import type { Form } from './visitor.ts'

/** Every slug has two hyphens in a row, and no path of ours has. */
const SLUG = '/:slug{[a-z0-9]+(?:-[a-z0-9]+)*--[a-z0-9-]+}' as const

export function appRoutes(router: Router, site: Site): void {
  router.get(SLUG, (c) => visit(site, c.env, (v) => show(v, c.req.param('slug'))))
  router.get(`${SLUG}/live`, (c) => watch(site, c.env, appSubject(c.req.param('slug'), site)))
  router.get(`${SLUG}/badge.svg`, (c) => visit(site, c.env, (v) => drawBadge(v, c.req.param('slug'))))
  router.get(`${SLUG}/statement`, (c) =>
    visit(site, c.env, async ({ visitor }) => {
      const { id } = await site.data.appAlone(c.req.param('slug'), visitor.caller)
      return seeOther(`/ledger/app/${id}/purse`)
    }),
  )
  router.post(`${SLUG}/pay`, (c) => submit(site, c.env, (v, form) => pay(v, c.req.param('slug'), form)))
  router.post(`${SLUG}/:act{stop|run|deploy}`, (c) =>
    submit(site, c.env, (v) => act(v, c.req.param('slug'), c.req.param('act'))),
  )
}

async function show(visit: Visit, slug: string): Promise<Response> {
  const { site, url, visitor, frame } = visit
  const view = await site.data.app(slug, visitor.caller)
  const query = url.searchParams
  const asked = amountIn(query.get('other') || query.get('amount'))
  const pay = typeof asked === 'bigint' ? { ...view.pay, ...chosen(view.app, asked) } : view.pay
  return visit.page(appPage({ ...view, pay, notice: paidNotice(view.app, query.get('paid')) }, frame))
}

/** Says it of payments that are on the page's own list only: an address cannot claim one. */
function paidNotice(app: App, id: string | null): Notice | null {
  const paid = app.contributions.find((one) => one.id === id)
  if (!paid) return null
  const rest = `${amountText(paid.amount)} is on the ledger, the commons’ 5 % included.`
  return {
    tone: 'good',
    fact: `Paid. ${app.name} ${wasResting(app, paid.at) ? 'is brought back' : 'runs longer'}.`,
    rest,
  }
}

/** By the time the page is shown a payment may have brought it back already. */
function wasResting(app: App, at: Date): boolean {
  const before = app.changes.findLast((change) => change.at <= at)
  return isResting(before ?? app)
}

async function pay(visit: Visit, slug: string, form: Form): Promise<Response> {
  const { site, visitor, frame } = visit
  const filled = { other: (form.get('other') ?? '').trim(), name: (form.get('name') ?? '').trim() }
  const again = async (error: string) => {
    const view = await site.data.app(slug, visitor.caller)
    const preset = amountIn(form.get('amount') ?? null)
    const shown: PayForm = {
      ...view.pay,
      ...filled,
      chosen: filled.other === '' && typeof preset === 'bigint' ? preset : null,
      error,
    }
    return visit.page(appPage({ ...view, pay: shown }, frame), 422)
  }
  const amount = amountIn(filled.other || form.get('amount') || null)
  if (amount === null) return again('Choose an amount, or write one. Nothing was charged.')
  if (typeof amount === 'string') return again(amount)
  const sent = form.get('id') ?? ''
  const id = UUID.test(sent) ? sent : newId()
  const name = filled.name === '' ? {} : { name: filled.name }
  const answer = await site.rpc.call(methods.funding.contribute, { id, app: slug, amount, ...name }, visitor.caller)
  if (isRefusal(answer)) return again([answer.sentence, answer.nextStep].filter(Boolean).join(' '))
  return seeOther(`/${slug}?paid=${id}`)
}

async function act(visit: Visit, slug: string, what: string): Promise<Response> {
  const { site, visitor, frame } = visit
  const view = await site.data.app(slug, visitor.caller)
  const answer =
    what === 'deploy'
      ? await site.rpc.call(methods.apps.deploy, { url: view.app.repository, root: view.app.root }, visitor.caller)
      : await site.rpc.call(what === 'stop' ? methods.apps.stop : methods.apps.run, { app: slug }, visitor.caller)
  if (!isRefusal(answer)) return seeOther('deployment' in answer ? `/deployments/${answer.deployment.id}` : `/${slug}`)
  const notice: Notice = { tone: 'bad', fact: answer.sentence, rest: answer.nextStep ?? '' }
  return visit.page(appPage({ ...view, notice }, frame), 409)
}

async function drawBadge({ site, visitor, frame }: Visit, slug: string): Promise<Response> {
  const app = await site.data.appAlone(slug, visitor.caller)
  return new Response(String(badge(app, frame.now)), {
    headers: {
      'content-type': 'image/svg+xml',
      'content-security-policy': "default-src 'none'",
      // Always current: whoever shows it asks again.
      'cache-control': 'no-cache',
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
      'x-content-type-options': 'nosniff',
    },
  })
}

/** An amount, null when there is none, or the sentence that says what is wrong with it. */
function amountIn(text: string | null): Micros | string | null {
  if (text === null || text === '') return null
  try {
    const amount = parseAmount(text.trim())
    return amount > 0n ? amount : 'An amount is more than nothing. Nothing was charged.'
  } catch (error) {
    if (error instanceof Malformed)
      return 'An amount is digits with at most six decimals, such as 5.00. Nothing was charged.'
    throw error
  }
}

/** A preset is marked; any other amount stands in the field. */
function chosen(app: App, amount: Micros): Pick<PayForm, 'chosen' | 'other'> {
  const preset = app.money.offers.some((offer) => offer.amount === amount)
  return preset ? { chosen: amount, other: '' } : { chosen: null, other: amountText(amount) }
}
