/** Which path is which page. A GET looks and changes nothing; a POST is a form of ours, and answers with a way back. */
import { Hono } from 'hono'
import { isRefusal, methods } from '@perennial/protocol'
import { Refused } from './data.ts'
import { deploymentSubject, frontSubject } from './looks.ts'
import { deploymentPage } from './pages/deployment.ts'
import { frontPage } from './pages/front.ts'
import { ledgerPage } from './pages/ledger.ts'
import { pricesPage } from './pages/prices.ts'
import { problemPage } from './pages/problem.ts'
import { repositoryPage } from './pages/repository.ts'
import { appRoutes } from './routes-app.ts'
import { statementRoutes } from './routes-ledger.ts'
import { must, problemOf, seeOther, submit, visit, watch, type Router, type Site, type Visit } from './visit.ts'
import type { Form } from './visitor.ts'

export function routes(site: Site): Router {
  const router: Router = new Hono()

  router.get('/', (c) =>
    visit(site, c.env, async (v) => v.page(frontPage(await site.data.front(v.visitor.caller), v.frame))),
  )
  router.get('/live', (c) => watch(site, c.env, frontSubject(site)))
  router.post('/deploy', (c) => submit(site, c.env, deploy))
  router.get('/prices', (c) =>
    visit(site, c.env, async (v) =>
      v.page(pricesPage(must(await site.rpc.call(methods.node.prices, {}, v.visitor.caller)), v.frame)),
    ),
  )
  router.get('/ledger', (c) =>
    visit(site, c.env, async (v) => v.page(ledgerPage(await site.data.ledger(v.visitor.caller), v.frame))),
  )
  statementRoutes(router, site)
  router.get('/deployments/:id{[0-9a-f-]{36}}', (c) =>
    visit(site, c.env, async (v) =>
      v.page(deploymentPage(await site.data.deployment(c.req.param('id'), v.visitor.caller), v.frame)),
    ),
  )
  router.get('/deployments/:id{[0-9a-f-]{36}}/live', (c) =>
    watch(site, c.env, deploymentSubject(c.req.param('id'), site)),
  )
  appRoutes(router, site)
  // A forge has a dot or a port in its name; nothing of ours has.
  router.get('/:forge{[a-z0-9-]+(?:[.:][a-z0-9-]+)+}/:path{.+}', (c) =>
    visit(site, c.env, async (v) => {
      // Without a scheme: whether it is https is for the node to say.
      const url = `${c.req.param('forge')}/${c.req.param('path')}`
      const estimate = await site.rpc.call(methods.apps.quote, { url }, v.visitor.caller)
      if (isRefusal(estimate)) return v.page(problemPage(problemOf(estimate, 'This cannot be run here'), v.frame), 422)
      return v.page(repositoryPage({ estimate, notice: null }, v.frame))
    }),
  )
  router.notFound((c) =>
    visit(site, c.env, async (v) =>
      v.page(
        problemPage(
          {
            heading: 'There is no such page',
            sentence: 'The address may be mistyped. Nothing was done and nothing was charged.',
            nextStep: 'All apps are on the front page.',
          },
          v.frame,
        ),
        404,
      ),
    ),
  )
  router.onError(async (error, c) => {
    if (error instanceof Refused) {
      const missing = error.refusal.refusal === 'client-error/not-found'
      return visit(site, c.env, async (v) =>
        v.page(
          problemPage(
            problemOf(error.refusal, missing ? 'There is no such thing here' : 'That cannot be shown'),
            v.frame,
          ),
          missing ? 404 : 409,
        ),
      )
    }
    const id = crypto.randomUUID()
    site.diagnostics.error('a page failed', { request: id, path: c.env.url.pathname, error })
    return visit(site, c.env, async (v) =>
      v.page(
        problemPage(
          {
            heading: 'The node failed to make this page',
            sentence: 'Nothing was charged. Loading it again may help.',
            id,
          },
          v.frame,
        ),
        500,
      ),
    )
  })
  return router
}

async function deploy(visit: Visit, form: Form): Promise<Response> {
  const { site, visitor, frame } = visit
  const url = (form.get('url') ?? '').trim()
  const [ref, root] = [form.get('ref') ?? '', form.get('root') ?? '']
  const input = { url, ...(ref !== '' && { ref }), ...(root !== '' && { root }) }
  const answer = await site.rpc.call(methods.apps.deploy, input, visitor.caller)
  if (!isRefusal(answer)) return seeOther(`/deployments/${answer.deployment.id}`)
  const sentence = [answer.sentence, answer.nextStep].filter(Boolean).join(' ')
  return visit.page(frontPage(await site.data.front(visitor.caller, { url, sentence }), frame), 422)
}
