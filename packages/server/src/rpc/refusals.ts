/** Refusals as folders of the node speak them become refusals as the protocol spells them. */
import { isRefusalStatus, type Refusal as Spoken, type RefusalStatus } from '@perennial/protocol'
import type { Refusal } from '../refusal.ts'

/** Short names that folders use, and where they stand in the tree of statuses. */
const SHORT: Readonly<Record<string, RefusalStatus>> = {
  'payment-required': 'request-declined/payment-required',
  'too-low': 'request-declined/payment/too-low',
  'not-found': 'client-error/not-found',
  conflict: 'client-error/conflict',
  'too-large': 'client-error/too-large',
  'invalid-arguments': 'client-error/invalid-arguments',
  policy: 'request-declined/policy',
  'rate-limit': 'request-declined/rate-limit',
  upstream: 'server-error/upstream',
  busy: 'server-error/cannot-complete-request',
}

/** A name that is neither says that the request, as it was made, cannot be done. */
export function spoken(refusal: Refusal): Spoken {
  const { refusal: name } = refusal
  const status = isRefusalStatus(name) ? name : (SHORT[name] ?? 'client-error/invalid-arguments')
  return { ...refusal, refusal: status }
}
