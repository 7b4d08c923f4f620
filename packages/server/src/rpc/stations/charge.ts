/** Charge: the actual sum is posted out of the hold and the rest is free again; a call that came to nothing voids it. */
import { deriveId, transferCode } from '@perennial/protocol'
import { succeeded } from '@perennial/ledger'
import type { Station } from '../passage.ts'

export const charge: Station = async ({ id, hold, charge: amount }, { ledger }) => {
  if (hold === null) return null
  const ref = hold.id
  const code = transferCode('caller-charge')
  const end = amount > 0n ? { kind: 'post' as const, amount } : { kind: 'void' as const }
  const [result] = await ledger.post([{ id: deriveId('call', id, 'charge'), ref, code, ...end }])
  if (!succeeded(result!)) throw new Error(`the charge of call ${id} was not posted: ${result!.status}`)
  return null
}
