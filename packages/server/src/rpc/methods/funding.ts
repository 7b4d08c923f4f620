/** funding: what an amount buys, paying, and who paid last. */
import { isRefusal, methods } from '@perennial/protocol'
import { implement, type Implementation } from '../call.ts'
import type { House } from '../house.ts'
import { findApp, seconds } from './find.ts'

const RECENT = 10

const quote = implement(methods.funding.quote, async ({ input }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  const answer = await house.funding.quote({ app: app.id, amount: input.amount })
  if (isRefusal(answer)) return answer
  const { amount, asset, parts, buysMs, runway, minimum } = answer
  return { amount, asset, parts, buysSeconds: seconds(buysMs), runway, minimum }
})

const contribute = implement(methods.funding.contribute, async ({ input, caller }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  const made = await house.funding.contribute({
    id: input.id,
    app: app.id,
    amount: input.amount,
    name: input.name ?? null,
    caller: caller.did,
  })
  if (isRefusal(made)) return made
  // As the payment left them: what it did is the payer's to see.
  const [after, purse] = await Promise.all([house.apps.find(app.id), house.funding.purse(app.id)])
  const { id, amount, asset, parts, at, seq } = made
  return { id, app: app.id, amount, asset, parts, at, seq, state: after?.state ?? app.state, runway: purse.runway }
})

const recent = implement(methods.funding.recent, async ({ input }, house: House) => {
  const app = input.app === undefined ? undefined : await findApp(input.app, house)
  if (isRefusal(app)) return app
  const limit = input.limit ?? RECENT
  const rows = await house.funding.contributions(app === undefined ? { limit } : { app: app.id, limit })
  const known = new Map(
    (await house.apps.several([...new Set(rows.map((row) => row.app))])).map((one) => [one.id, one]),
  )
  return {
    payments: rows.flatMap(({ id, app: paid, amount, name, at, buysMs }) => {
      const to = known.get(paid)
      return to
        ? [
            {
              id,
              amount,
              name,
              at,
              buysSeconds: seconds(buysMs),
              app: { id: to.id, slug: to.slug, name: to.name, owner: to.owner },
            },
          ]
        : []
    }),
  }
})

export const fundingMethods: readonly Implementation<House>[] = [quote, contribute, recent]
