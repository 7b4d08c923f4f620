/** Readings become usage, usage becomes charges on the ledger. */
export { accountOf, ALLOWANCE, COMMONS, openAccounts, type AccountName, type Accounts } from './accounts.ts'
export { allowancePerApp } from './allowance.ts'
export { openMetering, type Metering } from './metering.ts'
export type { DayUsage } from './reports.ts'
export type { Keeping } from './rent.ts'
