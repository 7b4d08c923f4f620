/** The made-up node's books: an account, its rows, the prices. */
import { METERS, type Micros } from '@perennial/protocol'
import { app, days, id, units } from './fixtures.ts'
import type { Account, Prices, Row } from './views.ts'

export const account: Account = {
  name: `app/${app.id}/purse`,
  asset: 'TEST',
  public: true,
  floor: 0n,
  balance: units('84.62'),
  held: units('0.12'),
  available: units('84.50'),
}

const ledgerRow = (
  seq: bigint,
  at: Date,
  kind: Row['kind'],
  code: string,
  [debit, credit]: readonly [string, string],
  amount: Micros,
  balance: Micros,
): Row => ({
  seq,
  id: id(Number(seq % 1000n)),
  kind,
  code,
  at,
  debit,
  credit,
  amount,
  balance,
  leaf: '4319dc8b44'.repeat(6).slice(0, 60) + 'c90a',
})

export const rows: readonly Row[] = [
  ledgerRow(
    18_204_318n,
    days(-0.02),
    'transfer',
    'contribution-purse',
    ['rail/push-button', account.name],
    units('9.5'),
    units('84.62'),
  ),
  ledgerRow(
    18_203_991n,
    days(-0.03),
    'hold',
    'hold',
    [account.name, `app/${app.id}/clearing`],
    units('0.12'),
    units('75.12'),
  ),
  ledgerRow(
    18_203_990n,
    days(-0.03),
    'post',
    'charge',
    [account.name, `app/${app.id}/clearing`],
    54_583n,
    units('75.12'),
  ),
  ledgerRow(18_203_312n, days(-0.07), 'post', 'charge', [account.name, `app/${app.id}/clearing`], 49_110n, 75_174_583n),
]

export const names: ReadonlyMap<string, string> = new Map([
  [account.name, 'purse of fieldnotes'],
  [`app/${app.id}/clearing`, 'clearing of fieldnotes'],
])

export const prices: Prices = {
  asset: 'TEST',
  hash: 'ab'.repeat(32),
  commonsPercent: 5,
  prices: METERS.map((meter) => ({ meter, unit: 'unit', micros: 20_000_000n, per: 2_592_000_000_000_000n })),
}
