/** funding: anyone may pay for any app. */
import * as z from 'zod'
import { method } from '../method.ts'
import { app, bigCount, id, instant, micros, pageSize, payment, publicName } from '../wire.ts'
import { appName, contribution, offer, runway, state } from './app-shapes.ts'

/** Where the parts of a payment go. They sum to the amount. */
const parts = z.object({ commons: micros, reserve: micros, purse: micros })

const quote = method({
  service: 'funding',
  name: 'quote',
  summary: 'What an amount would buy for an app, after the commons and the reserve had their parts.',
  input: z.strictObject({ app, amount: payment }),
  output: z.object({
    ...offer.shape,
    asset: z.string(),
    parts,
    /** How long the app would last with it. */
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
    /** Where its first transfer stands on the ledger. */
    seq: bigCount,
    state,
    runway,
  }),
  safe: false,
  policy: 'caller',
  meters: [],
  example: { id: '01938f5e-7a00-7000-8000-000000000000', app: 'hello--octo', amount: '5000000', name: 'tern' },
})

const recent = method({
  service: 'funding',
  name: 'recent',
  summary: 'Who paid last, for one app or for all of them, newest first.',
  input: z.strictObject({ app: app.optional(), limit: pageSize.optional() }),
  output: z.object({
    payments: z.array(contribution.extend({ app: appName, buysSeconds: offer.shape.buysSeconds })),
  }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { limit: '10' },
})

export const funding = { quote, contribute, recent }
