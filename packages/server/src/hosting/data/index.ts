/** Durable data of apps: volumes, databases, backups. */
export { openData, type Data, type DataDeps, type Prepared } from './data.ts'
export type { KeptApp } from './databases.ts'
export type { Backup, Restore } from './queries/backups.ts'
export { stageOf, type Stage } from './stage.ts'
