/** Double entry on PostgreSQL: one row a transfer, one leaf a row. Only this package writes money. */
export type { Account, AccountTerms } from './account.ts'
export { BadEvent, STATUSES, succeeded, type Event, type Result, type Status } from './event.ts'
export { openLedger, type Ledger, type LedgerOptions } from './ledger.ts'
export type { Document } from './record.ts'
export { ledgerSql, migrateLedger } from './schema.ts'
export type { Row, Side, StatementQuery, StatementRow } from './statement.ts'
export { LedgerFenced, LedgerUnavailable } from './writer.ts'
