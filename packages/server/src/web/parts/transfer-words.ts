/** What a row of the ledger says of itself, in words that people use. */
import type { Row } from '../views.ts'

const TITLES: Readonly<Record<string, string>> = {
  'contribution-commons': 'Contribution',
  'contribution-reserve': 'Contribution',
  'contribution-purse': 'Contribution',
  hold: 'Hold',
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

const KINDS: Readonly<Partial<Record<Row['kind'], string>>> = {
  hold: 'set aside, not yet spent',
  post: 'what was set aside is spent',
  void: 'what was set aside is free again',
  expire: 'what was set aside is free again: it was not used in time',
}

export function transferTitle({ code, kind }: Pick<Row, 'code' | 'kind'>): readonly [title: string, detail: string] {
  const meter = /^charge-(.+)$/.exec(code)?.[1]
  if (meter) return ['Charge', meter]
  return [TITLES[code] ?? code, KINDS[kind] ?? DETAILS[code] ?? '']
}
