/** What methods say about an app: the shapes that several of them answer with. */
import * as z from 'zod'
import { METERS } from '../meters.ts'
import { bigCount, bigInteger, id, instant, micros } from '../wire.ts'

/** Money decides the state; these are the only ones. */
export const state = z.enum(['funded', 'low', 'thrifty', 'frozen', 'archived'])

/** Whether it is running just now, apart from money. */
export const activity = z.enum(['none', 'starting', 'awake', 'asleep', 'stopped', 'failing'])

export const runway = z.object({
  /** Both absent: nothing costs anything, so nothing ends. */
  earliest: instant.nullable(),
  latest: instant.nullable(),
  estimate: z.boolean(),
})

export const limits = z.object({
  cpuPercent: z.number().int(),
  memoryBytes: z.number().int(),
  diskBytes: z.number().int(),
  egressBytesPerHour: z.number().int(),
  requestsPerHour: z.number().int(),
})

export const appSummary = z.object({
  id,
  slug: z.string(),
  name: z.string(),
  /** The public repository it came from. */
  repository: z.string(),
  commit: z.string().nullable(),
  /** Where it answers, and where its page is. */
  url: z.string(),
  page: z.string(),
  state,
  activity,
  createdAt: instant,
  asset: z.string(),
  purse: micros,
  reserve: micros,
  runway,
})

/** What one meter counted over a time, and what that cost. */
export const meteredCost = z.object({ meter: z.enum(METERS), used: bigInteger, cost: micros })

export const step = z.object({
  name: z.enum(['fetch', 'build', 'run']),
  status: z.enum(['waiting', 'running', 'done', 'failed', 'skipped']),
  startedAt: instant.nullable(),
  endedAt: instant.nullable(),
  cost: micros,
})

export const deployment = z.object({
  id,
  app: id,
  slug: z.string(),
  status: z.enum(['queued', 'unfunded', 'fetching', 'building', 'starting', 'live', 'failed', 'replaced']),
  ref: z.string().nullable(),
  commit: z.string().nullable(),
  /** SHA-256 of the release image. */
  release: z.string().nullable(),
  steps: z.array(step),
  cost: micros,
  /** The most that it can cost. */
  ceiling: micros,
  /** Why it failed or waits: what happened, what it cost, what to do. */
  problem: z.string().nullable(),
  createdAt: instant,
  endedAt: instant.nullable(),
})

export const release = z.object({
  number: z.number().int(),
  sha256: z.string(),
  commit: z.string(),
  sizeBytes: z.number().int(),
  builtAt: instant,
  cost: micros,
})

export const instance = z.object({
  process: z.string(),
  release: z.number().int(),
  activity,
  since: instant,
  memoryBytes: z.number().int(),
  memoryLimitBytes: z.number().int(),
})

export const contribution = z.object({
  id,
  /** What the payer gave, before the commons' part. */
  amount: micros,
  name: z.string().nullable(),
  at: instant,
  /** Where its first transfer stands on the ledger. */
  seq: bigCount.nullable(),
})

export const stateChange = z.object({ state, at: instant, reason: z.string() })

export const costDay = z.object({ day: z.iso.date(), costs: z.array(meteredCost), income: micros, balance: micros })

export const logLine = z.object({
  /** Its place in the app's log; give it back as `after` for what follows. */
  cursor: bigCount,
  at: instant,
  /** `web`, `worker`, `build` or `node`: who said it. */
  source: z.string(),
  level: z.enum(['out', 'err', 'ok', 'warn']),
  text: z.string(),
})
