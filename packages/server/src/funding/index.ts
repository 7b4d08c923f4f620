/** Contributions, purses, runways, and the states that follow from money. */
export type { Contribution, Payment } from './contribute.ts'
export {
  openFunding,
  type ContributionListed,
  type Funding,
  type FundingDeps,
  type Quote,
  type Totals,
} from './funding.ts'
export type { DayMoney, Point } from './history.ts'
export type { Purse } from './purse.ts'
export type { MoneyRow } from './queries/money.ts'
export type { Rail } from './rail.ts'
