/** All that is public about one app, as `apps.get` answers it and its page shows it. */
import * as z from 'zod'
import { bigCount, instant, micros } from '../wire.ts'
import { activity, appSummary, contribution, deployment, limits, meteredCost, offer, state } from './app-shapes.ts'

const release = z.object({
  number: z.number().int(),
  /** Of the image, hex: its id. */
  sha256: z.string(),
  commit: z.string(),
  sizeBytes: z.number().int(),
  builtAt: instant,
  /** When the app stopped keeping its image: the commit can be built again. Null: the image is there. */
  removedAt: instant.nullable(),
  cost: micros,
})

const instance = z.object({
  process: z.string(),
  release: z.number().int().nullable(),
  activity,
  since: instant,
  memoryBytes: z.number().int(),
  memoryLimitBytes: z.number().int(),
})

const money = z.object({
  reserveTarget: micros,
  /** When the last charge was posted; null before the first. */
  chargedTo: instant.nullable(),
  /** Metered since then: a projection. */
  unposted: micros,
  /** Means over the last 30 days. */
  incomePerDay: micros,
  payments: z.number().int(),
  payers: z.number().int(),
  /** Balance over time, oldest first; a payment is two points at one moment. */
  history: z.array(z.object({ at: instant, balance: micros })),
  /** What the usual amounts buy, and the smallest one that is taken. */
  offers: z.array(offer),
  minimum: micros,
})

export const appPage = appSummary.extend({
  /** did:key of who may stop and run it; null when nobody may. */
  admin: z.string().nullable(),
  /** The caller may. */
  mayAdminister: z.boolean(),
  limits,
  money,
  /** The mean day of the last 30, by meter. */
  costs: z.array(meteredCost),
  /** Day by day, oldest first. */
  days: z.array(z.object({ day: z.iso.date(), costs: z.array(meteredCost), income: micros })),
  deployment: deployment.nullable(),
  releases: z.array(release),
  instances: z.array(instance),
  contributions: z.array(contribution),
  changes: z.array(z.object({ state, at: instant, sentence: z.string() })),
})

export const logLine = z.object({
  /** Its place in the app's log; give it back as `after` for what follows. */
  seq: bigCount,
  at: instant,
  /** Who said it: `web`, `worker`, `build` or `node`. */
  source: z.string(),
  /** `out` and `err` are a program's own; `ok` and `warn` the node's. */
  level: z.enum(['out', 'err', 'ok', 'warn']),
  text: z.string(),
})
