/** Hold: what the call can cost is set aside before anything is done, so that nothing is done that nobody pays for. */
import { deriveId, formatExact, transferCode, refuse } from '@perennial/protocol'
import { succeeded } from '@perennial/ledger'
import type { Station } from '../passage.ts'

/** A call that was cut off by a kill gives its hold back after this. */
const HOLD_LIFE_MS = 3_600_000

export const hold: Station = async (passage, { ledger, accounts, identity, clock }) => {
  const { quote, caller, id } = passage
  if (quote === 0n || passage.repeated) return null
  if (caller.did === null)
    return refuse(
      'client-error/invalid-signature',
      'This call costs something and nobody is known to pay for it. Nothing was charged.',
      'Sign it.',
    )
  const holdId = deriveId('call', id, 'hold')
  const [debit, credit] = await Promise.all([
    accounts.id(`caller/${caller.did}`),
    accounts.id(`provider/${identity.node.did}`),
  ])
  const expires = new Date(Math.ceil((clock.now().getTime() + HOLD_LIFE_MS) / 1000) * 1000)
  const [result] = await ledger.post([
    { id: holdId, kind: 'hold', debit, credit, amount: quote, code: transferCode('caller-charge'), expires },
  ])
  if (!succeeded(result!)) {
    return refuse(
      'request-declined/payment-required',
      `This call can cost ${formatExact(quote)}, and the caller’s account has less. Nothing was charged.`,
      'Pay into your account and call again.',
      { minimum: quote },
    )
  }
  passage.hold = { id: holdId, amount: quote }
  return null
}
