/** Readings become usage, usage becomes charges on the ledger. */
export {
  accountOf,
  ALLOWANCE,
  ASSET,
  COMMONS,
  openAccounts,
  type AccountName,
  type Accounts,
  type Balance,
} from './accounts.ts'
export type { RequestCount } from './advance.ts'
export { ALLOWANCE_BUILD_CPU_NS, ALLOWANCE_RUN_CPU_NS_PER_DAY, allowancePerApp } from './allowance.ts'
export type { BuildHold } from './builds.ts'
export {
  openMetering,
  type Attachment,
  type MaxBurn,
  type Metering,
  type MeteringDeps,
  type MeteringSources,
  type Projection,
} from './metering.ts'
export type { DayUsage, MeterSum } from './reports.ts'
