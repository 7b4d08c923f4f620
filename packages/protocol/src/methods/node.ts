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

export const node = { info, prices }
