/** node: who this is and what it asks. */
import * as z from 'zod'
import { METERS } from '../meters.ts'
import { method } from '../method.ts'
import { bigInteger, micros } from '../wire.ts'

const info = method({
  service: 'node',
  name: 'info',
  summary: 'Who this node is, what it speaks and where its apps live.',
  input: z.strictObject({}),
  output: z.object({
    /** did:key of the node: it signs every answer. */
    node: z.string(),
    protocol: z.literal('opencloud/1'),
    version: z.string(),
    /** Where it is called, without a path. */
    origin: z.string(),
    /** Apps answer at `<slug>.<appsDomain>`. */
    appsDomain: z.string(),
    ledger: z.string(),
    asset: z.string(),
    /** How strongly apps are kept apart. */
    isolation: z.string(),
  }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: {},
})

const prices = method({
  service: 'node',
  name: 'prices',
  summary: 'The price book: what each meter costs here.',
  input: z.strictObject({}),
  output: z.object({
    asset: z.string(),
    /** SHA-256 of the book as a file, hex. */
    hash: z.string(),
    prices: z.array(z.object({ meter: z.enum(METERS), unit: z.string(), micros, per: bigInteger })),
    commonsPercent: z.number().int(),
  }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: {},
})

const totals = method({
  service: 'node',
  name: 'totals',
  summary:
    "All of the node's money in one look: what runs, what came in, what was spent, what is left for those in need.",
  input: z.strictObject({}),
  output: z.object({
    asset: z.string(),
    apps: z.number().int(),
    running: z.number().int(),
    frozen: z.number().int(),
    costPerHour: micros,
    /** Since the ledger's first row. */
    paidIn: micros,
    spent: micros,
    toCommons: micros,
    commons: micros,
    /** What new apps start with, until its account is empty. */
    allowance: micros,
    allowancePerApp: micros,
  }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: {},
})

const rotate = method({
  service: 'node',
  name: 'rotate',
  summary: 'Seal all secret settings of apps under a new key, and forget the old one.',
  input: z.strictObject({ key: z.enum(['config']) }),
  output: z.object({}),
  safe: false,
  policy: 'operator',
  meters: [],
  example: { key: 'config' },
})

export const node = { info, prices, totals, rotate }
