/** apps: deploy, look, list, read, stop, run. */
import { isRefusal, methods, refuse } from '@perennial/protocol'
import type { App as AppRecord } from '../../apps/index.ts'
import { parseRepository } from '../../source/index.ts'
import { implement, type Implementation } from '../call.ts'
import type { House } from '../house.ts'
import type { AppRow } from '../shapes.ts'
import { isAdmin } from '../stations/may.ts'
import { appPage } from './app-page.ts'
import { deploymentOf } from './deployment.ts'
import { findApp, seconds } from './find.ts'
import { activityOf, addressOf, summary, summaryOf } from './summary.ts'

/** One page of the almanac holds them all until there are more. */
const LISTED = 500
const SPARK_DAYS = 30
/** Only this many frozen apps say what a payment buys: each is a quote of its own. */
const OFFERED = 20
const HELPFUL = 5_000_000n
const LOG_LINES = 100

const deploy = implement(methods.apps.deploy, async ({ input, caller }, house: House) => {
  const repository = parseRepository(input.url, house.config, input)
  if (isRefusal(repository)) return repository
  const known = await house.apps.findByOrigin(repository)
  // Anyone may have the newest commit built: that is what the repository says in public, and its cost is bounded.
  // Which branch runs is the admin's to say.
  const chosen = input.ref !== undefined || repository.ref !== null
  const ref = chosen ? repository.ref : (known?.ref ?? null)
  const claim = { app: known?.id ?? '', did: caller.did, token: caller.adminToken }
  if (known && ref !== known.ref && !(await isAdmin(claim, house)))
    return refuse(
      'access-denied',
      `${known.name} follows ${known.ref ?? 'its default branch'}; only its admin may choose another. Nothing was charged.`,
      'Deploy without a ref, or with the key that it was deployed with.',
    )
  const { app, id } = await house.database.transaction(async (tx) => {
    const made = await house.apps.create(tx, repository, { ref, by: caller.did })
    if (chosen) await house.apps.setRef(tx, made.id, ref)
    const requested = await house.builds.request(tx, { app: made.id, ref, by: caller.did })
    return { app: made, id: requested.id }
  })
  await house.funding.open(app.id)
  return { deployment: await mustDeployment(id, app, house), app: await summaryOf(app, house) }
})

const quote = implement(methods.apps.quote, async ({ input }, house: House) => {
  const repository = parseRepository(input.url, house.config, input)
  if (isRefusal(repository)) return repository
  const { url, ref, root, forge, owner, name } = repository
  const [known, totals] = await Promise.all([house.apps.findByOrigin(repository), house.funding.totals()])
  const slug = known?.slug ?? repository.slug
  return {
    url,
    ref,
    root,
    forge,
    owner,
    name,
    slug,
    address: addressOf(slug, house),
    app: known && { id: known.id, slug, name, owner, state: known.state },
    buildCeiling: house.builds.ceiling,
    maxBurnPerHour: house.metering.maxBurn.run,
    allowance: totals.allowance >= totals.allowancePerApp ? totals.allowancePerApp : 0n,
  }
})

const get = implement(methods.apps.get, async (call, house: House) => {
  const app = await findApp(call.input.app, house)
  return isRefusal(app) ? app : appPage(app, call, house)
})

const list = implement(methods.apps.list, async (_call, house: House) => {
  const money = await house.funding.almanac(LISTED)
  const ids = money.map(({ app }) => app)
  const [records, sparks] = await Promise.all([house.apps.several(ids), house.funding.sparks(ids, SPARK_DAYS)])
  const activities = await house.hosting.activities(ids)
  const byId = new Map(records.map((record) => [record.id, record]))
  const resting = ids.filter((id) => byId.get(id)?.state === 'frozen').slice(0, OFFERED)
  const offers = new Map(await Promise.all(resting.map(async (id) => [id, await offer(id, house)] as const)))
  return {
    apps: money.flatMap(({ app: id, purse, reserve, costPerDay, earliest, latest, estimate }): AppRow[] => {
      const record = byId.get(id)
      if (!record) return []
      const standing = { purse, reserve, costPerDay, runway: { earliest, latest, estimate } }
      // The commit stands on the app's own page: a look-up for each row would cost more than the list.
      const shown = summary(record, { standing, commit: null, activity: activityOf(record, activities) }, house)
      return [{ ...shown, balances: [...(sparks.get(id) ?? [])], offer: offers.get(id) ?? null }]
    }),
  }
})

const logs = implement(methods.apps.logs, async ({ input }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  const { after, source, limit = LOG_LINES } = input
  const lines = await house.logs.tail({
    app: app.id,
    limit,
    ...(after === undefined ? {} : { after }),
    ...(source === undefined ? {} : { source }),
  })
  return { lines: [...lines], next: lines.at(-1)?.seq ?? after ?? 0n }
})

const stop = implement(methods.apps.stop, async ({ input }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  await house.apps.setStopped(house.database, app.id, true)
  await house.hosting.stop(app.id)
  return summaryOf({ ...app, stopped: true }, house)
})

const run = implement(methods.apps.run, async ({ input }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  if (app.release === null)
    return refuse(
      'client-error/conflict',
      `${app.name} has no release yet, so there is nothing to run. Nothing was charged.`,
      'Deploy it first.',
    )
  await house.apps.setStopped(house.database, app.id, false)
  await house.hosting.start(app.id)
  return summaryOf({ ...app, stopped: false }, house)
})

const deployment = implement(methods.apps.deployment, async ({ input }, house: House) => {
  const built = await house.builds.deployment(input.id)
  const app = built && (await house.apps.find(built.app))
  if (!app) return refuse('client-error/not-found', 'There is no such deployment here. Nothing was charged.')
  return deploymentOf(built, app)
})

export const appMethods: readonly Implementation<House>[] = [deploy, quote, get, list, logs, stop, run, deployment]

async function mustDeployment(id: string, app: AppRecord, house: House): Promise<ReturnType<typeof deploymentOf>> {
  const built = await house.builds.deployment(id)
  if (!built) throw new Error(`deployment ${id} was made and is not there`)
  return deploymentOf(built, app)
}

async function offer(app: string, { funding }: House): Promise<AppRow['offer']> {
  const answer = await funding.quote({ app, amount: HELPFUL })
  return 'refusal' in answer ? null : { amount: answer.amount, buysSeconds: seconds(answer.buysMs) }
}
