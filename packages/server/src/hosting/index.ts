/** Release → instances: start, health, wake, sleep, drain, restart, logs. */
export type { Count, Router } from './router.ts'
