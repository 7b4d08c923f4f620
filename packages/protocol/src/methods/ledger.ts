/** ledger: the books, open to everyone. */
import * as z from 'zod'
import { KINDS } from '../entry.ts'
import { method } from '../method.ts'
import { accountName, bigCount, id, instant, micros, pageSize } from '../wire.ts'

const shownAccount = z.object({
  name: z.string(),
  asset: z.string(),
  public: z.boolean(),
  /** Null: no limit. */
  floor: micros.nullable(),
  balance: micros,
  held: micros,
  /** Null: no limit. */
  available: micros.nullable(),
})

const EXAMPLE_ACCOUNT = 'commons'

const account = method({
  service: 'ledger',
  name: 'account',
  summary: 'What an account has now.',
  input: z.strictObject({ account: accountName }),
  output: shownAccount,
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { account: EXAMPLE_ACCOUNT },
})

const statement = method({
  service: 'ledger',
  name: 'statement',
  summary: 'The rows of an account, each with the balance after it: newest first, or from `after` on, oldest first.',
  input: z.strictObject({
    account: accountName,
    after: bigCount.optional(),
    before: bigCount.optional(),
    limit: pageSize.optional(),
  }),
  output: z.object({
    account: shownAccount,
    rows: z.array(
      z.object({
        seq: bigCount,
        id,
        kind: z.enum(Object.keys(KINDS) as (keyof typeof KINDS)[]),
        /** Why, in a word: `contribution-purse`, `charge-cpu`, … */
        code: z.string(),
        at: instant,
        /** Accounts by name; `members` is anyone's private account. */
        debit: z.string(),
        credit: z.string(),
        amount: micros,
        /** Of the account asked for, after this row. */
        balance: micros,
        /** The row's leaf in the public log, hex. */
        leaf: z.string(),
      }),
    ),
    /** Give it back as `after`, or `before` when newest come first, for the next page; null when this is the last. */
    next: bigCount.nullable(),
  }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { account: EXAMPLE_ACCOUNT, limit: '50' },
})

export const ledger = { account, statement }
