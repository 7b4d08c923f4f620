/** node: who this is, what it asks, and all of its money in one look. */
import { createHash } from 'node:crypto'
import { COMMONS_PERCENT, formatPriceBook, METER_UNITS, METERS, methods } from '@perennial/protocol'
import { accountOf } from '../../metering/index.ts'
import { implement, type Implementation } from '../call.ts'
import { VERSION } from '../http.ts'
import type { House } from '../house.ts'

const info = implement(
  methods.node.info,
  async (_call, { identity, origins, config, ledgerId, priceBook, isolation }: House) => ({
    node: identity.node.did,
    protocol: 'opencloud/1' as const,
    version: VERSION,
    origin: origins[0]!,
    appsDomain: config.appsDomain,
    ledger: ledgerId,
    asset: priceBook.asset,
    isolation,
  }),
)

const prices = implement(methods.node.prices, async (_call, { priceBook }: House) => ({
  asset: priceBook.asset,
  hash: createHash('sha256').update(formatPriceBook(priceBook)).digest('hex'),
  prices: METERS.map((meter) => ({ meter, unit: METER_UNITS[meter], ...priceBook.prices[meter] })),
  commonsPercent: Number(COMMONS_PERCENT),
}))

const totals = implement(methods.node.totals, async (_call, { funding, accounts }: House) => {
  const [sums, rail, allowance] = await Promise.all([
    funding.totals(),
    accounts.balance(accountOf.rail('push-button')),
    accounts.balance('allowance'),
  ])
  // Everything that ever came in, the operator's gift to new apps included, so that what is spent, kept and held
  // adds up to it to the micro.
  return { ...sums, paidIn: -rail.balance, allowance: allowance.balance }
})

const rotate = implement(methods.node.rotate, async (_call, { settings }: House) => {
  await settings.rotate()
  return {}
})

export const nodeMethods: readonly Implementation<House>[] = [info, prices, totals, rotate]
