/**
 * One call on its way through the stations: what each has found out so far.
 *
 * It comes from outside as an HTTP request, or from our own pages as a value; `wire` is what only the first has.
 */
import type { Ledger } from '@perennial/ledger'
import {
  type Method,
  type Micros,
  type PriceBook,
  type Refusal,
  type RequestHead,
  type Usage,
} from '@perennial/protocol'
import type { Apps } from '../apps/index.ts'
import type { Identity } from '../identity/index.ts'
import type { Accounts } from '../metering/index.ts'
import type { Services } from '../services.ts'
import type { Bound, Caller } from './call.ts'

/** What the stations need of the node. */
export interface StationHouse extends Pick<Services, 'config' | 'database' | 'clock' | 'diagnostics'> {
  readonly identity: Identity
  readonly ledger: Ledger
  readonly accounts: Accounts
  readonly priceBook: PriceBook
  /** The ledger's public name, for receipts. */
  readonly ledgerId: string
  /** Addresses under which the node is called: scheme, host and port. */
  readonly origins: readonly string[]
  /** Changes with each start. */
  readonly boot: string
  /** Who may administer an app stands in its record. */
  readonly apps: Pick<Apps, 'find'>
}

export interface Wire {
  /** As the caller sent it; what signatures cover. */
  readonly request: RequestHead
  readonly body: Uint8Array
  /** More of the body was sent than is read. */
  readonly overlong: boolean
}

export interface Passage {
  readonly id: string
  readonly at: Date
  readonly method: Method
  readonly implementation: Bound
  readonly wire: Wire | null
  /** The input as JSON, before it is read; of a request it is in the body, or in the query of a GET. */
  sent: unknown
  input: unknown
  /** Of the input, under a key of the node's. */
  digest: Uint8Array
  caller: Caller
  /** The most that it can cost its caller. */
  quote: Micros
  hold: { readonly id: string; readonly amount: Micros } | null
  readonly usage: Map<keyof Usage, bigint>
  output: unknown
  /** What it did cost. */
  charge: Micros
  /** Why it goes no further. */
  refusal: Refusal | null
  /** The idempotency key that this call holds, so that its answer is kept. */
  key: string | null
  /** The answer comes from an earlier call with the same key. */
  repeated: boolean
  /** A receipt of the charge, as text. */
  receipt: string | null
}

/** One step of every call. A refusal ends the way forward; what must be finished is finished all the same. */
export type Station = (passage: Passage, house: StationHouse) => Promise<Refusal | null>
