/**
 * The numbers that ledger rows and records carry, and the words people read for them.
 *
 * Numbers are for ever: they are hashed into leaves. A word may be improved, a number is never given a second meaning.
 */
import { Malformed } from './malformed.ts'

/** Why a transfer was made. */
export const TRANSFER_CODES = {
  'contribution-commons': 1,
  'contribution-reserve': 2,
  'contribution-purse': 3,
  /** Held from a purse for the next interval, into the app's clearing account. */
  hold: 10,
  /** What was held and is now charged: the sum of the kinds that follow it in its chain. */
  charge: 11,
  'charge-cpu': 20,
  'charge-memory': 21,
  'charge-disk': 22,
  'charge-egress': 23,
  'charge-requests': 24,
  'charge-build': 25,
  /** Storage rent of an app whose compute is frozen, paid by its reserve. */
  'rent-reserve': 30,
  /** The same, when the reserve is empty, paid by the commons. */
  'rent-commons': 31,
  /** The operator fills the account that start allowances come from. */
  'allowance-fill': 40,
  /** A new app's start allowance, into its purse. */
  'allowance-grant': 41,
  /** A caller's own money, for calls that cost something. */
  'caller-deposit': 50,
  'caller-charge': 51,
} as const

export type TransferWord = keyof typeof TRANSFER_CODES

/** What a record in the same log is about. */
export const RECORD_TOPICS = {
  genesis: 1,
  release: 2,
  lifecycle: 3,
  'price-book': 4,
  'payout-table': 5,
  policy: 6,
  receipt: 7,
} as const

export type RecordWord = keyof typeof RECORD_TOPICS

export function transferCode(word: TransferWord): number {
  return TRANSFER_CODES[word]
}

export function transferWord(code: number): TransferWord {
  return wordOf(TRANSFER_CODES, code, 'transfer code')
}

export function recordTopic(word: RecordWord): number {
  return RECORD_TOPICS[word]
}

export function recordWord(topic: number): RecordWord {
  return wordOf(RECORD_TOPICS, topic, 'record topic')
}

function wordOf<Word extends string>(table: Readonly<Record<Word, number>>, number: number, kind: string): Word {
  for (const word in table) if (table[word] === number) return word
  throw new Malformed(`there is no ${kind} ${number}`)
}
