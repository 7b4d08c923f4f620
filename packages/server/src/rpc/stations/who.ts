/**
 * Who: a request says it by its signature, whose nonce is taken once. A page of ours says it for its visitor, whose
 * session it has read; that is a value in this process and never a header.
 */
import { verifyRequest, refuse } from '@perennial/protocol'
import type { Station } from '../passage.ts'

export const who: Station = async (passage, { identity, origins, clock }) => {
  const { wire, caller } = passage
  if (!wire) return null
  const check = await verifyRequest(
    { ...wire.request, body: wire.body },
    { origins, nowSeconds: Math.floor(clock.now().getTime() / 1000) },
  )
  if (check.status === 'unsigned') return null
  if (check.status === 'invalid') {
    const wait = identity.limits.take('bad signature by address', caller.address)
    if (wait > 0)
      return refuse('request-declined/rate-limit', 'Too many wrong signatures from this address.', undefined, {
        retryAfterSeconds: wait,
      })
    return refuse(
      'client-error/invalid-signature',
      `The signature does not count: ${check.reason}. Nothing was charged.`,
    )
  }
  // Set before the nonce is looked at: the refusal offers a token, which is made for this key.
  passage.caller = { ...caller, did: check.did, via: 'signature' }
  if (!identity.nonces.take(check.did, check.nonce))
    return refuse(
      'request-declined/refresh-nonce',
      'The nonce is missing, used or too old. Nothing was done.',
      'Sign again with the nonce offered in OC-Nonce.',
    )
  return null
}
