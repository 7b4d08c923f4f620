/**
 * Record: a row for each call that changed something, cost something, or may be asked again under its key. What only
 * looked leaves none: the books are public, and who reads them is not.
 */
import { isRetryable } from '@perennial/protocol'
import { recordCall, releaseKey } from '../queries.ts'
import type { Station } from '../passage.ts'

export const record: Station = async (passage, { database, boot }) => {
  const { id, at, method, caller, charge, digest, key, refusal, output, repeated } = passage
  if (repeated || (method.safe && charge === 0n && key === null)) return null
  // Whoever was refused before anything was known about them leaves no row: a flood of wrong calls fills no table.
  if (refusal !== null && caller.did === null) return null
  // A refusal that may be otherwise next time is not an answer to keep.
  if (key !== null && refusal !== null && isRetryable(refusal)) {
    await releaseKey(database, id)
    return null
  }
  await recordCall(database, {
    id,
    at,
    caller: caller.did,
    method: `${method.service}.${method.name}`,
    digest,
    boot,
    price: charge,
    status: refusal?.refusal ?? 'ok',
    key,
    answer: key === null ? undefined : (refusal ?? output),
  })
  return null
}
