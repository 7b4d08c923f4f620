/** What methods say about an app: the shapes that several of them answer with. */
import * as z from 'zod'
import { METERS } from '../meters.ts'
import { bigInteger, id, instant, micros } from '../wire.ts'

/** Money decides the state; these are the only ones. */
export const state = z.enum(['funded', 'low', 'thrifty', 'frozen', 'archived'])

/** What it is doing just now, apart from money; `none` before its first release. */
export const activity = z.enum(['none', 'starting', 'awake', 'asleep', 'stopped', 'failing'])

/** A date is null where there is no end, because nothing costs anything. */
export const runway = z.object({ earliest: instant.nullable(), latest: instant.nullable(), estimate: z.boolean() })

/** What an amount buys, rounded down; null: more than anyone plans for. */
export const offer = z.object({ amount: micros, buysSeconds: z.number().int().nullable() })

export const limits = z.object({
  cpuPercent: z.number().int(),
  memoryBytes: z.number().int(),
  diskBytes: z.number().int(),
  egressBytesPerHour: z.number().int(),
  requestsPerHour: z.number().int(),
})

export const commit = z.object({ hash: z.string(), subject: z.string(), at: instant })

export const appName = z.object({ id, slug: z.string(), name: z.string(), owner: z.string() })

export const appSummary = appName.extend({
  description: z.string(),
  /** The public repository it came from. */
  repository: z.string(),
  /** The folder of it that is the app; empty: its top. */
  root: z.string(),
  commit: commit.nullable(),
  /** Where it answers, and where its page is. */
  url: z.string(),
  page: z.string(),
  state,
  stateSince: instant,
  activity,
  /** An admin stopped it. */
  stopped: z.boolean(),
  createdAt: instant,
  asset: z.string(),
  /** Money above the reserve, what is on hold included. */
  purse: micros,
  reserve: micros,
  /** Null before anything was charged. */
  costPerDay: micros.nullable(),
  maxBurnPerHour: micros,
  runway,
})

/** What one meter counted over a time, and what that cost. */
export const meteredCost = z.object({ meter: z.enum(METERS), used: bigInteger, cost: micros })

export const step = z.object({
  name: z.enum(['fetch', 'build', 'run']),
  status: z.enum(['waiting', 'running', 'done', 'failed', 'skipped']),
  /** What it did or does, in a few words. */
  detail: z.string(),
  startedAt: instant.nullable(),
  endedAt: instant.nullable(),
  cost: micros,
})

export const deployment = z.object({
  id,
  app: appName,
  /** `waiting` for money or its turn; `replaced` by a newer one. */
  status: z.enum(['waiting', 'fetching', 'building', 'starting', 'running', 'failed', 'replaced']),
  ref: z.string().nullable(),
  commit: commit.nullable(),
  /** SHA-256 of the release image, hex. */
  release: z.string().nullable(),
  steps: z.array(step),
  cost: micros,
  /** The most that it can cost. */
  ceiling: micros,
  payer: z.enum(['purse', 'allowance']).nullable(),
  /** Why it failed or waits: what happened, what it cost, what to do. */
  problem: z.string().nullable(),
  /** Why nothing was fetched and built: an earlier release runs once more. Null: it was. */
  because: z.enum(['config', 'rollback']).nullable(),
  createdAt: instant,
  endedAt: instant.nullable(),
})

export const contribution = z.object({
  id,
  /** What the payer gave, before the commons' part. */
  amount: micros,
  name: z.string().nullable(),
  at: instant,
})
