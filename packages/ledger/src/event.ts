/**
 * What a caller asks of the ledger, and what it answers.
 *
 * An event is one debit, one credit and one amount, or the end of a hold. Its shape is checked here, before the
 * queue: a batch is evaluated as a whole, and nobody's malformed event may fail a stranger's transfer. Whether it
 * is allowed (money, accounts, holds) is decided by the database alone, and answered as a status.
 */
import { UUID, type Kind } from '@perennial/protocol'

export interface Event {
  /** Chosen by the caller, derived from the cause, so that asking twice does it once: lower-case UUID. */
  id: string
  /** `transfer` unless said otherwise. */
  kind?: Kind | undefined
  /** Account numbers, of transfers and holds; a post, void or expire has its hold's. */
  debit?: bigint | undefined
  credit?: bigint | undefined
  /** Micros, above zero; of transfers, holds and posts. A void or expire releases all that was held. */
  amount?: bigint | undefined
  /** The caller's reason: protocol/codes.ts. */
  code: number
  /** Stands or falls with the next event of the same array. */
  linked?: boolean | undefined
  /** Takes less than `amount` if there is less; what it took is in the result. */
  upTo?: boolean | undefined
  /** The id of the hold that this event posts, voids or expires. */
  ref?: string | undefined
  /** Of a hold: when it may be released without its owner; whole seconds. */
  expires?: Date | undefined
}

/** What a status number of `post` means; `created` and `exists` are success. */
export const STATUSES = [
  'created',
  'exists',
  'exists-differently',
  'no-such-account',
  'different-assets',
  'bad-amount',
  'same-account',
  'below-floor',
  'too-large',
  'no-such-hold',
  'already-resolved',
  'hold-expired',
  'hold-not-expired',
  'chain-failed',
  'chain-open',
  'contradiction',
] as const
export type Status = (typeof STATUSES)[number]

export interface Result {
  status: Status
  /** Where the row is, when created or existing. */
  seq?: bigint
  /** What it moved, held or released. */
  amount?: bigint
}

/** Whether the event's row is in the ledger, now or since an earlier try. */
export function succeeded(result: Result): boolean {
  return result.status === 'created' || result.status === 'exists'
}

/** The event is not one: a bug of the caller's, or input that nobody checked. */
export class BadEvent extends Error {
  override readonly name = 'BadEvent'
  readonly code = 'bad-event'
}

const KIND_FLAGS: Record<Kind, number> = { transfer: 0, hold: 2, post: 4, void: 8, expire: 32 }

export function flagsOf(event: Event): number {
  return KIND_FLAGS[event.kind ?? 'transfer'] + (event.linked ? 1 : 0) + (event.upTo ? 16 : 0)
}

/** Throws unless the event can be encoded; contradictions between its fields are the database's to refuse. */
export function checkEvent(event: Event): void {
  const { id, kind = 'transfer', debit, credit, amount, code, ref, expires } = event
  if (!isUuid(id)) throw new BadEvent(`an event's id is a lower-case UUID; got ${String(id)}`)
  if (!Object.hasOwn(KIND_FLAGS, kind)) throw new BadEvent(`event ${id}: there is no kind ${String(kind)}`)
  if (!Number.isInteger(code) || code < -32_768 || code > 32_767)
    throw new BadEvent(`event ${id}: code must fit 16 bits; got ${String(code)}`)
  if (ref !== undefined && !isUuid(ref)) throw new BadEvent(`event ${id}: ref is the hold's id; got ${String(ref)}`)
  for (const [name, value] of Object.entries({ debit, credit, amount })) {
    if (value !== undefined && (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value))
      throw new BadEvent(`event ${id}: ${name} must be a bigint of 64 bits; got ${String(value)}`)
  }
  if (expires !== undefined && !(expires instanceof Date && Number.isFinite(expires.getTime())))
    throw new BadEvent(`event ${id}: expires must be a valid Date`)
}

function isUuid(value: unknown): boolean {
  return typeof value === 'string' && UUID.test(value)
}
