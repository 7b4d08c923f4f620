/** What a row of the ledger says of itself, in words that people use. */
import type { Row } from '../views.ts'

const TITLES: Readonly<Record<string, string>> = {
  'contribution-commons': 'Contribution',
  'contribution-reserve': 'Contribution',
  'contribution-purse': 'Contribution',
  charge: 'Charge',
  'rent-reserve': 'Rent',
  'rent-commons': 'Rent',
  'allowance-fill': 'Allowance',
  'allowance-grant': 'Start allowance',
  'caller-deposit': 'Deposit',
  'caller-charge': 'Call',
}

const DETAILS: Readonly<Record<string, string>> = {
  'contribution-commons': 'the commons’ 5 %',
  'contribution-reserve': 'the reserve’s part',
  'contribution-purse': 'the purse’s part',
  charge: 'for an interval of running',
  'rent-reserve': 'for keeping data, paid by the reserve',
  'rent-commons': 'for keeping data, paid by the commons',
  'allowance-fill': 'filled by the operator',
  'allowance-grant': 'for a new app',
}

/** Nothing moves with these: money is set aside, or free again. */
const STILL: Readonly<Partial<Record<Row['kind'], readonly [title: string, detail: string]>>> = {
  hold: ['Hold', 'set aside, not spent'],
  void: ['Hold ended', 'free again'],
  expire: ['Hold expired', 'free again'],
}

export function isStill({ kind }: Pick<Row, 'kind'>): boolean {
  return kind in STILL
}

export function transferTitle({ code, kind }: Pick<Row, 'code' | 'kind'>): readonly [title: string, detail: string] {
  const still = STILL[kind]
  if (still) return still
  const meter = /^charge-(.+)$/.exec(code)?.[1]
  if (meter) return ['Charge', meter]
  return [TITLES[code] ?? code, DETAILS[code] ?? '']
}
