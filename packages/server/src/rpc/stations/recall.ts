/** Recall: a call that was answered under the same idempotency key is answered again, and not done again. */
import { isRefusal, refuse } from '@perennial/protocol'
import { claimKey } from '../queries.ts'
import type { Station } from '../passage.ts'

const MAX_KEY_LENGTH = 200

export const recall: Station = async (passage, house) => {
  const key = passage.wire?.request.headers.get('idempotency-key') ?? null
  if (key === null) return null
  if (passage.caller.did === null)
    return refuse('client-error/bad-request', 'An Idempotency-Key needs a signed call: keys are kept per caller.')
  if (key === '' || key.length > MAX_KEY_LENGTH)
    return refuse('client-error/bad-request', `An Idempotency-Key has 1 to ${MAX_KEY_LENGTH} characters.`)
  const earlier = await claimKey(house.database, { ...rowOf(passage), key, boot: house.boot })
  if (earlier === null) {
    passage.key = key
    return null
  }
  passage.repeated = true
  if (!Buffer.from(passage.digest).equals(earlier.digest))
    return refuse(
      'client-error/idempotency',
      'This Idempotency-Key was used for another input. Nothing was charged.',
      'Use a new key for a new call.',
    )
  if (earlier.status === 'pending')
    return refuse('client-error/conflict', 'A call with this Idempotency-Key is under way.', 'Ask again in a moment.')
  if (isRefusal(earlier.answer)) return earlier.answer
  passage.output = earlier.answer
  return null
}

function rowOf({ id, at, caller, method, digest }: Parameters<Station>[0]) {
  return { id, at, caller: caller.did, method: `${method.service}.${method.name}`, digest }
}
