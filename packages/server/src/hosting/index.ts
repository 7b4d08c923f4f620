/** Release → instances: start, health, wake, sleep, drain, restart, logs. */
export { openData, stageOf, type Backup, type Data, type Restore } from './data/index.ts'
export { openHosting, type Activity, type Hosting, type HostingDeps, type Shown } from './hosting.ts'
export type { Count, Router } from './router.ts'
export type { Run } from './queries/runs.ts'
