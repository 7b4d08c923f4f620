/** Sign the receipt: whoever paid gets what was used, for how much, and which transfer moved it, under the node's key. */
import { createHash } from 'node:crypto'
import { deriveId, formatPriceBook, formatReceipt, METERS, signReceipt } from '@perennial/protocol'
import type { Station } from '../passage.ts'

export const receipt: Station = async (passage, { identity, ledgerId, priceBook, clock }) => {
  const { id, charge, caller, method, usage } = passage
  if (charge === 0n || passage.repeated) return null
  const used = METERS.filter((meter) => (usage.get(meter) ?? 0n) > 0n)
  // One line takes what was cut to whole micros or to the quote, so that lines sum to what was really charged.
  let rest = charge
  const lines = used.map((meter, index) => {
    const { micros, per } = priceBook.prices[meter]
    const own = (usage.get(meter)! * micros) / per
    const cost = index === used.length - 1 || own > rest ? rest : own
    rest -= cost
    return { meter, used: usage.get(meter)!, cost }
  })
  passage.receipt = formatReceipt(
    await signReceipt(
      {
        format: 'perennial-receipt/1',
        id,
        node: identity.node.did,
        ledger: ledgerId,
        asset: priceBook.asset,
        payer: `caller/${caller.did}`,
        service: `${method.service}.${method.name}`,
        from: passage.at,
        to: clock.now(),
        priceBook: createHash('sha256').update(formatPriceBook(priceBook)).digest('hex'),
        lines,
        total: charge,
        transfers: [deriveId('call', id, 'charge')],
      },
      identity.node,
    ),
  )
  return null
}
