/** Release → instances: start, health, wake, sleep, drain, restart, logs. */
export { openHosting, type Activity, type Hosting, type HostingDeps } from './hosting.ts'
export type { Instance } from './queries.ts'
export type { Count, Router } from './router.ts'
