/** A public repository at a commit: its address, its files, and the plan that follows from them. */
export { FETCH_LIMITS, fetchSpec, LOOK_TIMEOUT_MS, lookSpec, type FetchAsk } from './fetch.ts'
export { describe, type Fetched } from './fetched.ts'
export { planBuild } from './plan/detect.ts'
export {
  completePlan,
  type Cron,
  type Plan,
  type PlanRefusal,
  type Step,
  type StoredPlan,
  type Volume,
} from './plan/plan.ts'
export { aboutRepository } from './about.ts'
export { readFetch, readLook, UnreadableFetch, type FetchOutcome } from './read-fetch.ts'
export { parseRepository, type Repository } from './repository.ts'
