/** funding: anyone may pay for any app. */
import * as z from 'zod'
import { method } from '../method.ts'
import { app, bigCount, id, instant, micros, payment, publicName } from '../wire.ts'
import { runway, state } from './app-shapes.ts'

/** Where the parts of a payment go. They sum to the amount. */
const parts = z.object({ commons: micros, reserve: micros, purse: micros })

const quote = method({
  service: 'funding',
  name: 'quote',
  summary: 'What an amount would buy for an app, after the commons and the reserve had their parts.',
  input: z.strictObject({ app, amount: payment }),
  output: z.object({
    amount: micros,
    asset: z.string(),
    parts,
    /** Whole time that the purse's part buys at the usual cost, rounded down; null when nothing costs anything. */
    buysSeconds: z.number().int().nullable(),
    runway,
    /** The smallest payment that is taken; it always thaws. */
    minimum: micros,
  }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { app: 'hello--octo', amount: '5000000' },
})

const contribute = method({
  service: 'funding',
  name: 'contribute',
  summary: 'Pay for an app. 5 % goes to the commons, the rest keeps this app running. It cannot be withdrawn.',
  input: z.strictObject({
    /** Made by the payer: the same id again is the same payment, not a second one. */
    id,
    app,
    amount: payment,
    name: publicName.optional(),
  }),
  output: z.object({
    id,
    app: id,
    amount: micros,
    asset: z.string(),
    parts,
    at: instant,
    seq: bigCount,
    state,
    runway,
  }),
  safe: false,
  policy: 'caller',
  meters: [],
  example: { id: '01938f5e-7a00-7000-8000-000000000000', app: 'hello--octo', amount: '5000000', name: 'tern' },
})

export const funding = { quote, contribute }
