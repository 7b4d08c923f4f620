/** Meter: what the handler said it used becomes what it costs, and never more than was quoted. */
import { costOf } from '@perennial/protocol'
import type { Station } from '../passage.ts'

export const meter: Station = async (passage, { priceBook }) => {
  // What failed is not charged.
  if (passage.hold === null || passage.refusal !== null) return null
  const cost = costOf(priceBook, Object.fromEntries(passage.usage))
  passage.charge = cost < passage.hold.amount ? cost : passage.hold.amount
  return null
}
