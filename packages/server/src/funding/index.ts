/** Contributions, purses, runways, and the states that follow from money. */
export type { Contribution } from './contribute.ts'
export { openFunding, type Funding } from './funding.ts'
export type { DayMoney, Point } from './history.ts'
